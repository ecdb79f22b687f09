"""Files on a local disk: a service's own folder, and content-addressed blobs."""
