"""What containers were measured to use, for the documentation."""

AT_REST_MIB: dict[str, int] = {
    "lucid-redis": 6,
    "lucid-auth-service": 64,
    "service-mesh": 45,
    "api-gateway": 54,
    "block-manager": 38,
    "blockchain-engine": 38,
    "data-chain": 37,
    "session-anchoring": 42,
    "session-recorder": 38,
    "session-storage": 37,
    "session-processor": 38,
    "session-pipeline": 47,
    "rdp-xrdp": 61,
    "rdp-server-manager": 49,
    "rdp-controller": 45,
    "session-api": 65,
    "rdp-monitor": 53,
    "node-management": 49,
}
"""Memory at rest by container, on x86_64: the proportional set size (PSS) of its processes 100 s after all
containers were healthy. Stores that tests replace by stand-ins are not among them."""
