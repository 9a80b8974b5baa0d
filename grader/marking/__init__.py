"""`grader mark`: what awaits a person, shown to people who give it points; they write marks and nothing else."""
