"""blockchain-engine: the order of the log.

Owns which entry has which index, the write-ahead log of entries not yet published, and the log's private
key. Needs LogStore (block-manager) and its own Folder. Never acknowledges an entry that is not on disk, and
never signs two trees of which one is not the beginning of the other.
"""
