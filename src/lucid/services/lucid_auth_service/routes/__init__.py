"""The public API of lucid-auth-service, a module for each topic."""
