"""Bringing containers up and keeping them: what to run is built as values, and run in `engine`."""
