"""The rules of recording, on values alone: journal records, sealing a segment, manifests, a session's states."""
