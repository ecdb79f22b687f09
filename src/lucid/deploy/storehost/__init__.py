"""What starts and probes the servers of the stores in their containers, which have no shell.

Owns: the servers' configuration, made at each start from the mounted password.
Needs: the standard library, and pymongo for MongoDB.
Never: puts a password into an argument, an environment variable or a log.
"""
