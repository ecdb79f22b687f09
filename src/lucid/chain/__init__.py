"""The rules of the tamper-evident log, on ports only."""
