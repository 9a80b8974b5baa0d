import pickle

import numpy as np
import torch

from diffusion_model import DiffusionModel


class ImageGenerator(object):

    def __init__(self, denoising_steps=1000, p_uncond=.2):
        self.input_shape = (3, 32, 32)
        self.condition_dim = 4          # null, airplane, automobile, bird
        self.policy = DiffusionModel(self.input_shape, self.condition_dim, sequential=False,
                                     denoising_steps=denoising_steps, p_uncond=p_uncond)

    def load_dataset(self, paths, batch_size=64):
        pairs = []
        for name in paths:
            with open(name, 'rb') as handle:
                content = pickle.load(handle, encoding='latin1')
            for row, label in zip(content['data'], content['labels']):
                if label in (0, 1, 2):
                    picture = np.asarray(row, dtype=np.float32).reshape(self.input_shape)
                    pairs.append((torch.from_numpy(picture / 255 * 2 - 1), label + 1))
        self.loader = torch.utils.data.DataLoader(pairs, batch_size=batch_size, shuffle=True)

    def train_policy(self, epochs):
        self.policy.train(self.loader, epochs)

    def generate_images(self, guidance=0, num_samples=10, threshold=False, class_label=None):
        classes = [1, 2, 3] if class_label is None else [class_label] * 3
        labels = torch.tensor([c for c in classes for _ in range(num_samples)])
        pictures = self.policy.generate_sample(labels, guidance, threshold).cpu().numpy()
        pictures = np.clip((pictures + 1) / 2, 0, 1) * 255
        return np.transpose(pictures, (0, 2, 3, 1)).astype(np.uint8)
