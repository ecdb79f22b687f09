"""RDP without I/O: framing, the connection sequence, the gateway's relay, bitmap updates and their decoding.

Sections named in docstrings are those of MS-RDPBCGR unless another document is named. Everything here
takes bytes and gives bytes: no sockets, no clocks, no threads. Bad input raises ProtocolError, nothing else.
"""
