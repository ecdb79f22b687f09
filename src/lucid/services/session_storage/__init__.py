"""session-storage: sealed chunks at rest.

Owns the chunk files, their quota and their health (scrubbing). Needs only its Blobs. Has no key: it can tell
that a chunk is damaged, never what it holds. Never changes a chunk.
"""
