"""rdp-monitor: figures of running sessions, and synthetic connections to hosts.

Owns: the last sample of each session, the history of probes.
Needs: Gateway (what runs), Desktops and XrdpHost (CPU and memory on the built-in host), Hosts and Prober (synthetic
connections), Documents, Bus.
Never: connects as a person or through the gateway, so a probe is no session; logs in to a host on which somebody works.
"""
