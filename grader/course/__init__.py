"""What a course adds to results: people and marks."""
