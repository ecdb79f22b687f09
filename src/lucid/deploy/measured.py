"""What containers were measured to use, for the documentation."""

AT_REST_MIB: dict[str, int] = {
    "lucid-redis": 6,
    "lucid-auth-service": 94,
    "service-mesh": 79,
    "api-gateway": 79,
    "block-manager": 68,
    "blockchain-engine": 68,
    "data-chain": 67,
    "session-anchoring": 76,
    "session-recorder": 68,
    "session-storage": 67,
    "session-processor": 69,
    "session-pipeline": 82,
    "rdp-xrdp": 97,
    "rdp-server-manager": 78,
    "rdp-controller": 78,
    "session-api": 94,
    "rdp-monitor": 83,
    "node-management": 77,
}
"""Memory at rest by container, on x86_64: the proportional set size (PSS) of its processes seven minutes after all
containers were healthy. Stores that tests replace by stand-ins are not among them."""
