# %% [markdown]
# # Problem set 3, part 2: a diffusion model
#
# **The names in this notebook are this project's own.** The course's notebook for part 2 is not public, so the parts
# that every denoising diffusion model has are given names, shapes and equations here. Equation numbers are those of
# Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models* (arXiv 2006.11239).
#
# Time steps count from 0 to `T - 1`; step `t` turns the noise of step `t - 1` into a little more noise, and `x_0` is
# the clean image. Images are `(B, channels, H, W)`.

# %%
import math  # keep

import torch
import torch.nn.functional as F  # keep
from torch import nn

# %% [markdown]
# ## 1. Noise schedule
# How much noise each step adds, and the products that let us jump to any step at once.


# %%
def linear_beta_schedule(timesteps, beta_start=1e-4, beta_end=0.02):
    """Variances beta_0 … beta_{T-1}, (T,): equally spaced, first beta_start, last beta_end."""
    # BEGIN SOLUTION
    return torch.linspace(beta_start, beta_end, timesteps)
    # END SOLUTION


class NoiseSchedule:
    """What the other parts need of the betas, each (T,).

    betas       as given
    alphas      1 - beta_t
    alpha_bars  the product of alpha_0 … alpha_t (equation 4)
    sigmas      standard deviation of a reverse step: sqrt(beta_t), or the square root of the posterior variance
                beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) with alpha_bar_{-1} = 1 (section 3.2 allows both)
    """

    def __init__(self, betas):
        self.betas = betas
        # BEGIN SOLUTION
        self.alphas = 1.0 - betas
        self.alpha_bars = torch.cumprod(self.alphas, dim=0)
        self.sigmas = betas.sqrt()
        # END SOLUTION


# %% [markdown]
# ## 2. Forward process
# `x_t` from `x_0` in one jump (equation 4). Each image of a batch has a time step of its own.


# %%
def q_sample(schedule, x_0, t, noise):
    """x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) noise.

    x_0, noise: (B, channels, H, W); t: integers (B,); returns (B, channels, H, W)
    """
    # BEGIN SOLUTION
    alpha_bar = schedule.alpha_bars[t].view(-1, 1, 1, 1)  # (B, 1, 1, 1)
    return alpha_bar.sqrt() * x_0 + (1.0 - alpha_bar).sqrt() * noise
    # END SOLUTION


# %% [markdown]
# ## 3. A small U-Net
# It gets a noisy image and its time step, and predicts the noise.


# %%
def timestep_embedding(t, dim):
    """Sinusoids of the time step: t (B,), dim even, returns (B, dim).

    Column i < dim/2 is sin(t w_i), column dim/2 + i is cos(t w_i), with w_i = 10000^(-2i/dim).
    """
    # BEGIN SOLUTION
    half = dim // 2
    frequencies = torch.exp(-math.log(10000.0) * torch.arange(half, device=t.device) / half)  # (dim / 2,)
    angles = t[:, None].float() * frequencies  # (B, dim / 2)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
    # END SOLUTION


# %%
# A part of the U-Net below; you may change it, replace it or leave it out.
class ConvBlock(nn.Module):
    """Two convolutions; the time step shifts the channels between them."""

    def __init__(self, inputs, outputs, time_dim):
        super().__init__()
        # BEGIN SOLUTION
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.shift = nn.Linear(time_dim, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm = nn.GroupNorm(1, outputs)
        # END SOLUTION

    def forward(self, x, time):
        """x: (B, inputs, H, W), time: (B, time_dim); returns (B, outputs, H, W)."""
        # BEGIN SOLUTION
        hidden = F.silu(self.first(x)) + self.shift(time)[:, :, None, None]
        return F.silu(self.norm(self.second(hidden)))
        # END SOLUTION


# %%
class UNet(nn.Module):
    """Predicts the noise in x_t. The inside is yours; it must

    - give an output of the input's shape, for every batch size and every height and width divisible by 4,
    - treat each image with its own time step, and on its own,
    - halve the resolution at least once and come back, with skip connections from the way down to the way up.
    """

    def __init__(self, channels=1, width=32, time_dim=32):
        super().__init__()
        # BEGIN SOLUTION
        self.time_dim = time_dim
        self.time = nn.Sequential(nn.Linear(time_dim, time_dim), nn.SiLU(), nn.Linear(time_dim, time_dim))
        self.down_1 = ConvBlock(channels, width, time_dim)
        self.down_2 = ConvBlock(width, 2 * width, time_dim)
        self.bottom = ConvBlock(2 * width, 2 * width, time_dim)
        self.up_2 = ConvBlock(4 * width, width, time_dim)
        self.up_1 = ConvBlock(2 * width, width, time_dim)
        self.out = nn.Conv2d(width, channels, 1)
        # END SOLUTION

    def forward(self, x, t):
        """x: (B, channels, H, W), t: integers (B,); returns (B, channels, H, W)."""
        # BEGIN SOLUTION
        time = self.time(timestep_embedding(t, self.time_dim))  # (B, time_dim)
        fine = self.down_1(x, time)  # (B, width, H, W)
        middle = self.down_2(F.avg_pool2d(fine, 2), time)  # (B, 2 width, H/2, W/2)
        coarse = self.bottom(F.avg_pool2d(middle, 2), time)  # (B, 2 width, H/4, W/4)
        up = torch.cat([F.interpolate(coarse, scale_factor=2), middle], dim=1)  # (B, 4 width, H/2, W/2)
        up = torch.cat([F.interpolate(self.up_2(up, time), scale_factor=2), fine], dim=1)  # (B, 2 width, H, W)
        return self.out(self.up_1(up, time))
        # END SOLUTION


# %% [markdown]
# ## 4. Training
# One step of algorithm 1, with the time steps and the noise given.


# %%
def noise_prediction_loss(model, schedule, x_0, t, noise):
    """Mean squared error between the noise and model(x_t, t) (equation 14); t: (B,); returns a scalar."""
    # BEGIN SOLUTION
    x_t = q_sample(schedule, x_0, t, noise)
    return F.mse_loss(model(x_t, t), noise)
    # END SOLUTION


# %% [markdown]
# ## 5. Sampling
# Algorithm 2. `draw(x)` gives fresh noise of the shape of `x`; it is an argument so that a test can say what is drawn.


# %%
def p_sample(model, schedule, x_t, t, draw=torch.randn_like):
    """One reverse step: x_{t-1} from x_t, with t one integer for the whole batch.

    (x_t - beta_t / sqrt(1 - alpha_bar_t) model(x_t, t)) / sqrt(alpha_t) + sigma_t draw(x_t), no noise at t = 0.
    The model gets t as integers (B,).
    """
    # BEGIN SOLUTION
    steps = torch.full((x_t.shape[0],), t, dtype=torch.long, device=x_t.device)  # (B,)
    share = schedule.betas[t] / (1.0 - schedule.alpha_bars[t]).sqrt()
    mean = (x_t - share * model(x_t, steps)) / schedule.alphas[t].sqrt()
    return mean + schedule.sigmas[t] * draw(x_t) if t > 0 else mean
    # END SOLUTION


def sample(model, schedule, x_T, draw=torch.randn_like):
    """Images x_0 from noise x_T (B, channels, H, W): `p_sample` for every step from T - 1 down to 0, no gradients."""
    # BEGIN SOLUTION
    x = x_T
    with torch.no_grad():
        for t in reversed(range(len(schedule.betas))):
            x = p_sample(model, schedule, x, t, draw)
    return x
    # END SOLUTION
