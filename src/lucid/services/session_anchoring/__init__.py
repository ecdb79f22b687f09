"""session-anchoring: sessions in the log.

Owns the opening and closing entry of each session, from the first byte to the proof bundle. Needs LogWriter,
LogStore, DataChain and Documents. Never sends a second, different entry for the same thing: the bytes of an
entry are remembered before they are sent.
"""
