"""data-chain: the bodies that log entries commit to, by digest.

Owns opening statements, manifests, chunk lists and the bodies of other acts. Needs Blobs. Never touches the
log: a body may be deleted, and every proof stays valid.
"""
