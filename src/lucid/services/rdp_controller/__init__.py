"""The RDP gateway: lets a ticket's owner reach one host, logs in there, and tees every byte to the recorder.

Owns the RDP listener, its TLS key and certificate, and the connections that run now. Needs tickets, hosts
with their credentials, the pipeline (a session begins only once its opening is anchored), the recorder, the
bus (limits for bad tickets) and a folder. Never shows the host's credentials to the client, never writes them
anywhere, and never lets a desktop run that is not being recorded.
"""
