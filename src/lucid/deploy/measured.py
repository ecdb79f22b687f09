"""What containers were measured to use, for the documentation."""

AT_REST_MIB: dict[str, int] = {}
"""Memory at rest by container: the proportional set size (PSS) of its processes a minute after all were healthy."""
