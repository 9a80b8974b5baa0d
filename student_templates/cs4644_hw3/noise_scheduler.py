"""How much noise each step of the diffusion adds, and one step back.

Equations and algorithms are those of Ho, Jain and Abbeel, "Denoising Diffusion Probabilistic Models" (arXiv 2006.11239).
Time counts from 0 here: step t = 0 leads to the clean sample, and the paper's step 1 is our step 0.
"""

import numpy as np
import torch
from randomizer import DL_random


class NoiseScheduler:
    """betas, alphas and alpha_bars, each (num_steps,), and what is computed with them."""

    def __init__(self, num_steps, beta_start=0.0001, beta_end=0.02):
        self.num_steps = num_steps
        self.beta_start = beta_start
        self.beta_end = beta_end
        self.betas = np.linspace(beta_start, beta_end, num_steps)  # the variances, as NumPy numbers for now

        # 2.1.1: self.alphas and self.alpha_bars, as NumPy arrays like the betas (the text before equation 4).
        raise NotImplementedError("NoiseScheduler.__init__")

        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.betas = torch.from_numpy(self.betas).float().to(self.device)
        self.alphas = torch.from_numpy(self.alphas).float().to(self.device)
        self.alpha_bars = torch.from_numpy(self.alpha_bars).float().to(self.device)

    def add_noise(self, original_samples, noise, timesteps):
        """2.1.1: x_t for each sample at its own time step, in one jump (equation 4).

        original_samples, noise: (B, …) with any number of dimensions; timesteps: integers (B,); returns (B, …)
        """
        raise NotImplementedError("NoiseScheduler.add_noise")

    def denoise_step(self, model_prediction, t, x_t, threshold=False, seed=None):
        """x_{t-1} from x_t and the noise that the model sees in it; t is one integer for the whole batch.

        The variance of the step is always beta_t. Its noise is one call of DL_random, which gets the seed; at t = 0
        there is none. model_prediction, x_t: (B, …); returns (B, …)
        """
        if threshold:
            # 2.3.3: estimate x_0 (equation 15), keep it between -1 and 1, and take the mean of equation 7.
            # The alpha_bar before the first one is 1.
            raise NotImplementedError("NoiseScheduler.denoise_step")
        else:
            # 2.1.2: the mean of algorithm 2.
            raise NotImplementedError("NoiseScheduler.denoise_step")

        # 2.1.2: the noise of algorithm 2, with and without thresholding.
        raise NotImplementedError("NoiseScheduler.denoise_step")
