"""Ports of services in other processes, spoken over HTTP."""
