"""Measurements, printed as ratios of one run: `python -m benchmarks [NAME…]`. Nothing here asserts a time."""
