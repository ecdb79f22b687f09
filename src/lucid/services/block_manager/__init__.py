"""block-manager: the log at rest.

Owns the log's folder (docs/format.md section 6): checkpoint, tiles, entry bundles, blocks, key.
Needs its Folder and the log's verifier key. Never signs, and never publishes a checkpoint whose root it
has not derived from the entries itself, nor deletes a signed block that the log does not have.
"""
