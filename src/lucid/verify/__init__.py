"""The offline verifier: docs/format.md section 9, step by step. Needs no network and no other room above crypto."""
