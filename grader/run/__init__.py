"""A run: the processes that judge, and the command line's side of them."""
