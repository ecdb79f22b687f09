"""Cryptography on values, without I/O: digests, AEAD sealing, age recipients, signed notes, Merkle trees."""
