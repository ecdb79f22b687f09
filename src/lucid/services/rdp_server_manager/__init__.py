"""rdp-server-manager: the desktops that can be reached.

Owns: registered hosts, their pinned certificates and their sealed credentials.
Needs: Documents, Anchoring (each host added or removed is an entry of the log).
Never: shows credentials to anybody but the gateway, or stores them unsealed.
"""
