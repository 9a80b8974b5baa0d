import torch
from tqdm import tqdm
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel

from randomizer import DL_random
from noise_prediction_net import ConditionalUnet1D
from noise_prediction_net import ConditionalUnet2D
from noise_prediction_net import TesterModel
from noise_scheduler import NoiseScheduler


class DiffusionModel:

    def __init__(self, input_shape, condition_dim, sequential = True, denoising_steps = 100, p_uncond = .2,
                 weights_path = None, test = False):
        self.training_epoch = 0
        self.input_shape = input_shape
        self.condition_dim = condition_dim
        self.sequential = sequential
        self.p_uncond = p_uncond
        self.denoising_steps = denoising_steps
        self.noise_scheduler = NoiseScheduler(self.denoising_steps)
        if test:
            self.noise_pred_net = TesterModel(input_shape, condition_dim)
        elif self.sequential:
            T, input_dim = input_shape
            self.noise_pred_net = ConditionalUnet1D(input_dim = input_dim, global_cond_dim = self.condition_dim)
        else:
            c_in, H, W = input_shape
            assert H == W
            self.noise_pred_net = ConditionalUnet2D(input_dim = H, c_in = c_in, c_out = c_in,
                                                    global_cond_dim = self.condition_dim)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.ema = EMAModel(model = self.noise_pred_net, power = 0.75)
        if weights_path is not None:
            self.noise_pred_net.load_state_dict(torch.load(weights_path, map_location = self.device))
            self.ema.averaged_model.load_state_dict(torch.load(weights_path.replace(".pth", "_ema.pth"),
                                                               map_location = self.device))
        self.noise_pred_net.to(self.device)
        self.ema.averaged_model.to(self.device)
        self.optimizer = torch.optim.Adam(self.noise_pred_net.parameters(), lr = 1e-4, weight_decay = 1e-6)

    def train(self, data_loader, train_epochs = 10):
        self.noise_pred_net.train()
        self.lr_scheduler = get_scheduler(name = 'cosine', optimizer = self.optimizer, num_warmup_steps = 500,
                                          num_training_steps = len(data_loader) * train_epochs)
        with tqdm(range(train_epochs), position = 1, desc = 'Epochs') as epochs:
            for _ in epochs:
                average_loss = 0
                with tqdm(data_loader, position = 0, desc = 'Batches') as batches:
                    for data, cond in batches:
                        data = data.to(self.device)
                        cond = cond.to(self.device)
                        loss = self.compute_loss_on_batch(data, cond)
                        loss.backward()
                        self.optimizer.step()
                        self.optimizer.zero_grad()
                        self.lr_scheduler.step()
                        self.ema.step(self.noise_pred_net)
                        average_loss += loss.item()
                average_loss /= len(data_loader)
                epochs.set_postfix({"Epoch": self.training_epoch, "Loss": average_loss})
                self.training_epoch += 1

    def compute_loss_on_batch(self, data, cond, seed = None):
        u = DL_random(shape = (1,), normal = False, seed = seed).item()
        if u < self.p_uncond:
            cond = cond * 0

        eps = DL_random(shape = data.shape, seed = seed).to(self.device)
        t = DL_random(shape = (data.shape[0],), int_range = [0, self.denoising_steps], seed = seed).to(self.device)
        noisy = self.noise_scheduler.add_noise(data, eps, t)
        out = self.noise_pred_net(noisy, t, cond)
        return torch.mean((out - eps) ** 2)

    def generate_sample(self, cond, guidance_weight = 0.0, threshold = False, seed = None):
        noise_pred_net = self.ema.averaged_model
        noise_pred_net.eval()
        with torch.no_grad():
            sample = DL_random(shape = [cond.shape[0], *self.input_shape], seed = seed).to(self.device)
            null = torch.zeros_like(cond)
            t = self.denoising_steps - 1
            while t >= 0:
                # a 0-d tensor counts as one step for the whole batch
                with_c = noise_pred_net(sample, torch.tensor(t).to(self.device), cond)
                without = noise_pred_net(sample, torch.tensor(t).to(self.device), null)
                e = with_c + guidance_weight * (with_c - without)
                sample = self.noise_scheduler.denoise_step(e, t, sample, threshold = threshold, seed = seed)
                t -= 1
        noise_pred_net.train()
        return sample
