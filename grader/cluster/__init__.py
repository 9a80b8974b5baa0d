"""A run on a cluster: shards as jobs of an array, the scheduling left to Slurm, and their results brought together."""
