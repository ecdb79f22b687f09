"""The rules of recording, on ports only: frames to journal records, segments to sealed chunks."""
