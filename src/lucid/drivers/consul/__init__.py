"""Consul's HTTP API, as spoken by a Consul agent and by service-mesh."""
