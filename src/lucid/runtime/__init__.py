"""Wiring, HTTP hosting, health, metrics, logs, signals, shutdown: once, for all services."""
