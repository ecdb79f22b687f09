"""The offline verifier: docs/format.md section 9, step by step. Needs no network and no other room above crypto.

`verifier` lists the steps; `anchoring`, `recording`, `log` and `sequence` hold their rules, which do no I/O;
`sources` reads folders and files; `files` does all of it for paths; `text` shows a report.
`python -m lucid.verify` is the verifier alone.
"""

from lucid.verify.report import Report, SessionSummary, StepResult
from lucid.verify.sources import ChunkSource, LogSource
from lucid.verify.verifier import verify_bundle, verify_log

__all__ = ["ChunkSource", "LogSource", "Report", "SessionSummary", "StepResult", "verify_bundle", "verify_log"]
