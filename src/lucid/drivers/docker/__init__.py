"""What the command line asks of a container engine: where the containers are."""
