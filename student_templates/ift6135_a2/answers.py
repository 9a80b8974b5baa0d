"""Question 2.5, second sentence: the number of learnable parameters. This file is optional."""


def parameter_count(num_heads, head_size):
    """How many learnable parameters `MultiHeadedAttention` has with `num_heads` heads of size `head_size`."""
    raise NotImplementedError("parameter_count")
