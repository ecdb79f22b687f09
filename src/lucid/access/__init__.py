"""The rules of who may connect: tickets and passwords, on ports only."""
