"""The learning rate over a training."""

import math


def get_scheduler(name, optimizer, num_warmup_steps=0, num_training_steps=1, **others):
    """A linear rise, then half a cosine. Budgets are shorter than the course's: the rise takes an eighth at most."""
    from torch.optim.lr_scheduler import LambdaLR  # dear, so only where something is trained

    rise = min(num_warmup_steps or 0, num_training_steps // 8)

    def share(step):
        if step < rise:
            return step / rise
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (step - rise) / max(1, num_training_steps - rise))))

    return LambdaLR(optimizer, share)
