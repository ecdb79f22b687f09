"""Protocols: what services need of stores and offer each other. No implementation lives here.

Conventions, which the HTTP binding relies on: methods are async and take keyword arguments only; types
are those of lucid.model and plain JSON types; at most one parameter is `bytes`, which travels as the
request's body; a `bytes` result travels as the response's body. Failures are lucid.base.errors classes.
"""
