"""Where every random number of part 2 comes from. Given: hand it in as it is, tests put their own in its place."""

import torch


def DL_random(shape, int_range=None, normal=True, seed=None):
    """Random numbers of that shape: integers from `int_range` (low, high), high excluded; else normal or uniform ones.

    With a `seed`, torch's generator begins there: equal calls then give equal numbers. Tests use it.
    """
    if seed is not None:
        torch.manual_seed(seed)
    if int_range is not None:
        low, high = int_range
        return torch.randint(low, high, tuple(shape))
    return torch.randn(*shape) if normal else torch.rand(*shape)
