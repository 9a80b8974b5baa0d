"""What is kept of a run: the journal, and several of them put together."""
