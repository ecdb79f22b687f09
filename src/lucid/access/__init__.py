"""The rules of who may connect: accounts, logins, tokens, tickets, approvals and their audit trail, on ports only."""
