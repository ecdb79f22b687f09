"""node-management: which nodes carry the platform, whether they are there, and what they have earned.

Owns: nodes and their keys, the minutes in which each was heard, the ledger of log entries that count.
Needs: Documents, Anchoring (to say in the log what it knows), LogStore and DataChain (to compute from the log).
Never: pays anybody, or counts what the log does not show.
"""
