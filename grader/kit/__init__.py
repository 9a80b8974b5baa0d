"""What students get to check their work at home: `grader kit`."""
