"""What containers were measured to use, for the documentation."""

AT_REST_MIB: dict[str, int] = {
    "lucid-redis": 6,
    "lucid-auth-service": 72,
    "service-mesh": 49,
    "api-gateway": 59,
    "block-manager": 41,
    "blockchain-engine": 41,
    "data-chain": 41,
    "session-anchoring": 47,
    "session-recorder": 41,
    "session-storage": 40,
    "session-processor": 41,
    "session-pipeline": 52,
    "rdp-xrdp": 64,
    "rdp-server-manager": 55,
    "rdp-controller": 49,
    "session-api": 76,
    "rdp-monitor": 60,
    "node-management": 55,
}
"""Memory at rest by container, on x86_64: the proportional set size (PSS) of its processes 100 s after all
containers were healthy. Stores that tests replace by stand-ins are not among them."""
