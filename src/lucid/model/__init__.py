"""Frozen values and their canonical bytes, as docs/format.md defines them. No I/O, no keys."""
