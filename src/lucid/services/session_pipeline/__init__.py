"""session-pipeline: the state of each session from opened to proven.

Owns the documents of sessions, their chunk lists and the text typed in them, and drives every session forward:
sealing segments as they close, anchoring opening and closing, waiting for the proof. Needs Recorder, Processor,
Storage, Anchoring, DataChain, Documents and Bus. Goes on by itself after a crash at any point. Never sees a frame or a
key, never gives a session up while its journal exists, never seals the same index under the same attempt twice, never
deletes a chunk that a session may still remember.
"""
