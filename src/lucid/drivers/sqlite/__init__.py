"""Documents in one SQLite file: the embedded default."""
