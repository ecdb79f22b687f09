"""The one typed list of services: what each needs, offers, listens on and keeps.

`SERVICES` and `STORES` are read by the runtime (wiring), the deployment (Compose files) and the documentation.
Adding a service is adding its folder under lucid/services/ and its literal in lucid/catalog/services.py.
"""
