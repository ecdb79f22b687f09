"""The rules of nodes: what the log says that they did, and the work credits that follow from it."""
