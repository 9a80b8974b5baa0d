"""Proofs that a suite is right: what each kept submission must earn, mutants, evidence for thresholds."""
