"""What becomes of a class's grades after they are made: released, checked, handed on, forgotten."""
