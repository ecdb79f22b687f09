"""One folder an outside thing: stores on disk and over the wire, HTTP between services, RDP peers."""
