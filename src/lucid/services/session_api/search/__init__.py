"""The search index: what is in it, how it stays current, how people ask it."""
