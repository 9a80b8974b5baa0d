"""Reproducible speed measurements; see docs/measurements.md."""
