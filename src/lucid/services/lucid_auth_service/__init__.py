"""lucid-auth-service: who may connect.

Owns: accounts with their password hashes and second factors, logins and API tokens, the keys that sign access tokens,
connection tickets, approvals, counts of failed attempts, the audit trail.
Needs: Documents, Bus, Anchoring; Web, for an identity provider.
Never: stores a password, code or token, or logs one.
"""
