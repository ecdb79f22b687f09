"""session-api: the public API of sessions and of search.

Owns the search index, and what was decided about recordings after their end: holds, shares, deletions. Needs the ports
that its app binds; everything else it asks their owners for, at each request. Never opens a recording, except to wrap
its key for a further recipient, for which it needs the owner's identity; never deletes what is held or not proven.
"""
