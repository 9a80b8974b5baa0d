"""`grade --container`: the same grading, in a container that sees the submissions, the assignment and nothing else."""
