import os

import torch
import tqdm
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel

import randomizer
import noise_prediction_net as nets
from noise_scheduler import NoiseScheduler


class DiffusionModel(object):

    def __init__(self, input_shape, condition_dim, sequential=True, denoising_steps=100,
                 p_uncond=.2, weights_path=None, test=False):
        self.device = 'cuda' if torch.cuda.is_available() else 'cpu'
        self.input_shape = input_shape
        self.condition_dim = condition_dim
        self.denoising_steps = denoising_steps
        self.p_uncond = p_uncond
        self.noise_scheduler = NoiseScheduler(num_steps=denoising_steps)

        if test:
            self.noise_pred_net = nets.TesterModel(input_shape, condition_dim)
        elif sequential:
            self.noise_pred_net = nets.ConditionalUnet1D(input_shape[1], condition_dim)
        else:
            c, h, w = input_shape
            assert h == w, 'square images only'
            self.noise_pred_net = nets.ConditionalUnet2D(h, c, c, condition_dim)
        self.noise_pred_net.to(self.device)

        self.ema = EMAModel(model=self.noise_pred_net, power=0.75)
        if weights_path:
            base, ext = os.path.splitext(weights_path)
            base = base if ext == '.pth' else weights_path
            for suffix, module in (('.pth', self.noise_pred_net), ('_ema.pth', self.ema.averaged_model)):
                module.load_state_dict(torch.load(base + suffix, map_location=self.device))
        self.optimizer = torch.optim.Adam(params=self.noise_pred_net.parameters(), lr=1e-4, weight_decay=1e-6)

    def train(self, data_loader, train_epochs):
        schedule = get_scheduler('cosine', optimizer=self.optimizer, num_warmup_steps=500,
                                 num_training_steps=train_epochs * len(data_loader))
        for e in range(train_epochs):
            total, n = 0.0, 0
            for batch in tqdm.tqdm(data_loader):
                loss = self.compute_loss_on_batch(*batch)
                loss.backward()
                self.optimizer.step()
                self.optimizer.zero_grad()
                schedule.step()
                self.ema.step(self.noise_pred_net)
                total, n = total + loss.item(), n + 1
            print('epoch', e + 1, 'mean loss', total / n)

    def compute_loss_on_batch(self, data, cond, seed=None):
        data, cond = data.to(self.device), cond.to(self.device)

        # 1 = condition stays, 0 = null token; one number multiplies the whole batch
        keep = randomizer.DL_random(shape=(1,), normal=False, seed=seed) >= self.p_uncond
        cond = cond * keep.to(device=cond.device, dtype=cond.dtype).view([1] * cond.ndim)

        eps = randomizer.DL_random(shape=data.size(), seed=seed).to(self.device)
        times = randomizer.DL_random(shape=(len(data),), int_range=(0, self.denoising_steps), seed=seed)
        times = times.to(self.device)

        noisy = self.noise_scheduler.add_noise(data, eps, times)
        error = eps - self.noise_pred_net(noisy, times, cond)
        return error.square().mean()

    @torch.no_grad()
    def generate_sample(self, cond, guidance_weight=0.0, threshold=False, seed=None):
        model = self.ema.averaged_model
        model.eval()
        cond = cond.to(self.device)
        n = len(cond)
        sample = randomizer.DL_random(shape=[n] + list(self.input_shape), seed=seed).to(self.device)

        guided = guidance_weight != 0
        if guided:                                # one pass with both halves
            cond = torch.cat((torch.zeros_like(cond), cond))

        for t in torch.arange(self.denoising_steps, device=self.device).flip(0):
            if guided:
                out = model(torch.cat((sample, sample)), t.expand(2 * n), cond)
                free, bound = out.chunk(2)
                # (1 + w) bound - w free
                pred = torch.lerp(free, bound, 1.0 + float(guidance_weight))
            else:
                pred = model(sample, t.expand(n), cond)
            sample = self.noise_scheduler.denoise_step(pred, t, sample, threshold, seed)
        return sample
