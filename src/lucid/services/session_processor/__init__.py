"""session-processor: segments to sealed chunks: open the journal's records, compress, encrypt, store. Of sessions whose
policy lets what is typed be searched, it reads that as well, and hands it to who asked.

Owns nothing but computing time. Needs Recorder (segments) and Storage (chunks). Never writes plaintext or a
data key to disk, never decides what is sealed when: index and attempt come with the job.
"""
