import numpy as np
import torch

import randomizer


class NoiseScheduler(object):
    # DDPM, 0-based time.  Every coefficient depends on t alone, so all of them are
    # worked out once, in NumPy and double precision, and only looked up afterwards:
    #
    #   x_t     = signal[t] * x_0  + spread[t] * eps                      (4)
    #   x_0     = inv_signal[t] * x_t - inv_spread[t] * eps               (15)
    #   x_{t-1} = from_x0[t] * x_0 + from_xt[t] * x_t + sigma[t] * z      (7), variance beta
    #
    # (15) put into (7) without clipping *is* the mean of algorithm 2, hence there is
    # one path for both kinds of step.

    def __init__(self, num_steps, beta_start=0.0001, beta_end=0.02):
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
        self.num_steps = num_steps
        self.device = device
        self.betas = np.linspace(beta_start, beta_end, num_steps, dtype=np.float64)

        self.alphas = np.ones(num_steps) - self.betas
        self.alpha_bars = np.empty(num_steps)
        running = 1.0
        for i, a in enumerate(self.alphas):
            running *= a
            self.alpha_bars[i] = running

        before = np.append(1.0, self.alpha_bars[:-1])        # alpha_bar of t - 1
        rest = 1.0 - self.alpha_bars
        self._signal = np.sqrt(self.alpha_bars)
        self._spread = np.sqrt(rest)
        self._inv_signal = 1.0 / self._signal
        self._inv_spread = self._spread / self._signal
        self._from_x0 = np.sqrt(before) * self.betas / rest
        self._from_xt = np.sqrt(self.alphas) * (1.0 - before) / rest
        self._sigma = np.sqrt(self.betas)
        self._sigma[0] = 0.0                                 # last step: no noise

        self.betas = torch.from_numpy(self.betas).to(dtype=torch.float32, device=device)
        self.alphas = torch.from_numpy(self.alphas).to(dtype=torch.float32, device=device)
        self.alpha_bars = torch.from_numpy(self.alpha_bars).to(dtype=torch.float32, device=device)

    def add_noise(self, original_samples, noise, timesteps):
        when = timesteps.detach().cpu().numpy().astype(np.int64)
        a = torch.as_tensor(self._signal[when], dtype=torch.float32, device=self.device)
        s = torch.as_tensor(self._spread[when], dtype=torch.float32, device=self.device)
        # '...' trick: put the batch axis last, broadcast, and put it back
        x = torch.movedim(original_samples.to(self.device), 0, -1)
        n = torch.movedim(noise.to(self.device), 0, -1)
        return torch.movedim(a * x + s * n, -1, 0).contiguous()

    def denoise_step(self, model_prediction, t, x_t, threshold=False, seed=None):
        k = t.item() if torch.is_tensor(t) else t
        x_t = x_t.to(self.device)
        z = randomizer.DL_random(shape=x_t.shape, seed=seed).to(self.device)

        x0 = float(self._inv_signal[k]) * x_t - float(self._inv_spread[k]) * model_prediction.to(self.device)
        if threshold:
            one = torch.ones_like(x0)
            x0 = torch.where(x0 > 1, one, torch.where(x0 < -1, -one, x0))

        out = float(self._from_x0[k]) * x0
        out = out + float(self._from_xt[k]) * x_t
        out = out + float(self._sigma[k]) * z
        return out
