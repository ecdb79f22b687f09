"""One folder a service; each is known to the platform by one literal in lucid.catalog."""
