"""service-mesh: who is where, and is it well; a key-value store with locks. In Consul's HTTP API.

Owns: registered instances and their checks (in memory: everybody registers again within a TTL), keys and sessions.
Needs: Documents, for keys and sessions.
Never: answers anybody without the mesh's token, but on who leads.
"""
