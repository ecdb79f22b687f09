"""Codecs of network protocols, without I/O."""
