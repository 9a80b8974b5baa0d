"""Grade deep-learning assignments: numerical agreement, gradient agreement and training results."""

__version__ = "0.2.0.dev0"
