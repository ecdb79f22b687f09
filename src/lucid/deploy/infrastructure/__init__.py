"""The Compose files beside those of the phases: what the images are built of, run, developed and tested by themselves.

Each renderer gives path to text, as those of the phases do.
"""
