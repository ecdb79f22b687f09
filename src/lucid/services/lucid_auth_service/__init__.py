"""lucid-auth-service: who may connect.

Owns: accounts with their password hashes, connection tickets, counts of failed logins.
Needs: Documents.
Never: stores a password or a ticket's secret, or logs one.
"""
