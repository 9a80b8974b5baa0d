"""A diffusion model with classifier-free guidance: its training and its sampling.

Algorithms 1 and 2 of "Denoising Diffusion Probabilistic Models" (arXiv 2006.11239) and the guidance of Ho and Salimans,
"Classifier-Free Diffusion Guidance" (arXiv 2207.12598).
"""

import torch
import torch.nn.functional as F
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from noise_prediction_net import ConditionalUnet1D, ConditionalUnet2D, TesterModel
from noise_scheduler import NoiseScheduler
from randomizer import DL_random
from tqdm import tqdm


class DiffusionModel:
    """A noise scheduler, a network that predicts noise, and the running average of that network (`ema`)."""

    def __init__(
        self,
        input_shape,
        condition_dim,
        sequential=True,
        denoising_steps=100,
        p_uncond=0.2,
        weights_path=None,
        test=False,
    ):
        """Given.

        input_shape: of one sample, (T, D) for the sequential network, (C, H, H) for images
        condition_dim: the width of the condition, or how many class indices there are (the null token counts)
        p_uncond: how often the condition of a batch is left out in training
        weights_path: "x.pth" is loaded, and "x_ema.pth" for the running average
        test: use the network for tests; leave this to the tests
        """
        self.input_shape = input_shape
        self.condition_dim = condition_dim
        self.sequential = sequential
        self.denoising_steps = denoising_steps
        self.p_uncond = p_uncond
        self.training_epoch = 0  # how many were run so far

        self.noise_scheduler = NoiseScheduler(denoising_steps)
        if test:
            self.noise_pred_net = TesterModel(input_shape, condition_dim)
        elif sequential:
            _, input_dim = input_shape
            self.noise_pred_net = ConditionalUnet1D(input_dim=input_dim, global_cond_dim=condition_dim)
        else:
            channels, height, width = input_shape
            assert height == width, "images must be square"
            self.noise_pred_net = ConditionalUnet2D(
                input_dim=height, c_in=channels, c_out=channels, global_cond_dim=condition_dim
            )

        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.ema = EMAModel(model=self.noise_pred_net, power=0.75)
        if weights_path is not None:
            self.load_weights(weights_path)
        self.noise_pred_net.to(self.device)
        self.ema.averaged_model.to(self.device)
        self.optimizer = torch.optim.Adam(self.noise_pred_net.parameters(), lr=1e-4, weight_decay=1e-6)

    def train(self, data_loader, train_epochs=10):
        """Given. Minimises `compute_loss_on_batch` over the batches (data, condition) of the loader."""
        self.noise_pred_net.train()
        self.lr_scheduler = get_scheduler(
            name="cosine",
            optimizer=self.optimizer,
            num_warmup_steps=500,
            num_training_steps=len(data_loader) * train_epochs,
        )
        for _ in range(train_epochs):
            total = 0.0
            with tqdm(data_loader, desc=f"epoch {self.training_epoch + 1}") as batches:
                for data, cond in batches:
                    loss = self.compute_loss_on_batch(data.to(self.device), cond.to(self.device))
                    loss.backward()
                    self.optimizer.step()
                    self.optimizer.zero_grad()
                    self.lr_scheduler.step()
                    self.ema.step(self.noise_pred_net)
                    total += loss.item()
                batches.set_postfix(loss=total / len(data_loader))
            self.training_epoch += 1

    def save_weights(self, path):
        """Given. Writes "x.pth" and, for the running average, "x_ema.pth"."""
        torch.save(self.noise_pred_net.state_dict(), path)
        torch.save(self.ema.averaged_model.state_dict(), _averaged(path))

    def load_weights(self, path):
        """Given. Reads what `save_weights` wrote."""
        self.noise_pred_net.load_state_dict(torch.load(path, map_location=self.device))
        self.ema.averaged_model.load_state_dict(torch.load(_averaged(path), map_location=self.device))

    def compute_loss_on_batch(self, data, cond, seed=None):
        """Mean squared error between the noise in x_t and what the network says about x_t (algorithm 1).

        Every random number comes from DL_random, and every call gets the seed.
        data: (B, *input_shape); cond: (B, condition_dim), or class indices (B,); returns a scalar
        """
        # 2.2.2: with probability p_uncond the whole batch has no condition: zeros, or the null token 0, in its place.
        # One uniform number decides: DL_random((1,), normal=False, seed=seed).

        # 2.2.1: a time step for each sample, its noise, and the loss: two calls of DL_random.
        # The network is called with x_t, the time steps (B,) and the condition.
        raise NotImplementedError("DiffusionModel.compute_loss_on_batch")

    def generate_sample(self, cond, guidance_weight=0.0, threshold=False, seed=None):
        """Samples for these conditions, from noise (algorithm 2) under classifier-free guidance.

        2.2.3: begin with one call of DL_random, and take `denoise_step` for every time step, the last one first. Every
        call gets the seed, and `denoise_step` the threshold too. The predicted noise is (1 + w) times the one with the
        condition, less w times the one without.
        cond: (B, condition_dim), or class indices (B,); returns (B, *input_shape)
        """
        noise_pred_net = self.ema.averaged_model  # use this network, not the one in training
        noise_pred_net.eval()
        with torch.no_grad():
            raise NotImplementedError("DiffusionModel.generate_sample")
        return x


def _averaged(path):
    """Where the weights of the running average stand."""
    return path.removesuffix(".pth") + "_ema.pth"
