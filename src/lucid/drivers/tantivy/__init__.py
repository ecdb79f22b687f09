"""Search in this process: indexes of tantivy in a folder, for one process at a time."""
