import math

import numpy as np
import torch

from randomizer import DL_random


class NoiseScheduler:
    def __init__(self, num_steps, beta_start = 0.0001, beta_end = 0.02):
        self.num_steps = num_steps
        self.beta_start, self.beta_end = beta_start, beta_end
        self.betas = np.linspace(self.beta_start, self.beta_end, self.num_steps)

        self.alphas = np.array([1 - b for b in self.betas])
        products, p = [], 1
        for a in self.alphas:
            p *= a
            products.append(p)
        self.alpha_bars = np.array(products)

        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.alphas = torch.from_numpy(self.alphas).to(self.device).float()
        self.alpha_bars = torch.from_numpy(self.alpha_bars).to(self.device).float()
        self.betas = torch.from_numpy(self.betas).to(self.device).float()

    def denoise_step(self, model_prediction, t, x_t, threshold = False, seed = None):
        # drawn in any case; at t = 0 it goes to waste
        z = DL_random(shape = x_t.shape, seed = seed).to(self.device)
        if t == 0:
            z = z * 0
        a, ab, b = (float(values[t]) for values in (self.alphas, self.alpha_bars, self.betas))
        if not threshold:
            x_t_prev = 1 / math.sqrt(a) * (x_t - (1 - a) / math.sqrt(1 - ab) * model_prediction)
        else:
            x_0 = torch.clip(x_t / math.sqrt(ab) - math.sqrt(1 / ab - 1) * model_prediction, min = -1, max = 1)
            ab_prev = float(self.alpha_bars[t - 1]) if t > 0 else 1.0
            x_t_prev = (math.sqrt(ab_prev) * b / (1 - ab)) * x_0 + (math.sqrt(a) * (1 - ab_prev) / (1 - ab)) * x_t
        return x_t_prev + math.sqrt(b) * z

    def add_noise(self, original_samples, noise, timesteps):
        noisy = torch.empty_like(original_samples)
        for i, t in enumerate(timesteps):
            noisy[i] = self.alpha_bars[t] ** 0.5 * original_samples[i] + (1 - self.alpha_bars[t]) ** 0.5 * noise[i]
        return noisy
