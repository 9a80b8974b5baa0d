"""Where a platform puts a submission and what it wants back. `grader grade` does the grading, as everywhere."""
