"""What every room may use: errors, settings, ids, time, tasks, logging, values that redact themselves."""
