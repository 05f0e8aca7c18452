"""The log of all steps: a Merkle tree over the audit records, its signed checkpoints, proofs, exports."""
