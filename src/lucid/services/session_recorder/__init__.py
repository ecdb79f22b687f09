"""session-recorder: frames in, durable encrypted journal, closed segments out.

Owns the recorder's name and gap-free numbering, the journals of sessions that are not anchored yet, and the
data keys until they are wrapped. Needs only its Folder, which it locks. Fails closed: frames that are not on
disk within the limit end the recording. Never writes frames or a data key in plaintext, never uses a nonce
twice, never repeats a write that failed, never appends to a journal of an earlier run.
"""
