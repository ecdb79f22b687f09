"""The paths of Consul's HTTP API below /v1, and how requests and answers look."""
