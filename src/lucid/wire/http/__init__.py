"""What a proxy has to know of HTTP's header fields; no I/O."""
