"""rdp-server-manager: the desktops that can be reached.

Owns: registered hosts, who may connect to them, their pinned certificates and their sealed credentials; pools of hosts;
the desktops that people have on the built-in host, and their quotas.
Needs: Documents, Anchoring (each change of a host is an entry of the log), XrdpHost (accounts of desktops), Pipeline
(which sessions run, for pools), Audit.
Never: shows credentials to anybody but those that log in with them, or stores them unsealed.
"""
