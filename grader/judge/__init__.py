"""The trusted side: collects a suite, runs the reference, and judges submissions. The only place that compares."""
