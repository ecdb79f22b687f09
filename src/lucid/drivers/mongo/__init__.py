"""Documents in MongoDB, for installations that have one."""
