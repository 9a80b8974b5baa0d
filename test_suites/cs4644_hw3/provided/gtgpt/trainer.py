"""A training loop that knows nothing of the model but `model(x, y) -> (logits, loss)`."""

import itertools
import time
from collections import defaultdict

import torch
from torch.utils.data import DataLoader

from gtgpt.utils import CfgNode


class Trainer:
    """Runs AdamW over shuffled batches for `max_iters` batches; without `max_iters` it never ends by itself.

    After every batch `iter_num`, `iter_dt` (seconds) and `loss` are up to date and the callbacks of
    "on_batch_end" are called with the trainer.
    """

    @staticmethod
    def get_default_config():
        return CfgNode(
            device="auto",
            num_workers=4,
            max_iters=None,
            batch_size=64,
            learning_rate=3e-4,
            betas=(0.9, 0.95),
            weight_decay=0.1,
            grad_norm_clip=1.0,
        )

    def __init__(self, config, model, train_dataset):
        self.config = config
        self.train_dataset = train_dataset
        self.device = config.device
        if self.device == "auto":
            self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = model.to(self.device)
        self.optimizer = None
        self.callbacks = defaultdict(list)
        self.iter_num, self.iter_dt, self.iter_time, self.loss = 0, 0.0, 0.0, None

    def add_callback(self, event, callback):
        self.callbacks[event].append(callback)

    def set_callback(self, event, callback):
        self.callbacks[event] = [callback]

    def trigger_callbacks(self, event):
        for callback in self.callbacks[event]:
            callback(self)

    def _batches(self):
        shuffling = torch.Generator(device=torch.get_default_device())  # the loader draws its order where tensors live
        shuffling.manual_seed(torch.initial_seed())
        loader = DataLoader(
            self.train_dataset,
            batch_size=self.config.batch_size,
            shuffle=True,
            num_workers=self.config.num_workers,
            generator=shuffling,
        )
        for batch in itertools.chain.from_iterable(itertools.repeat(loader)):
            yield [tensor.to(self.device) for tensor in batch]

    def run(self):
        config = self.config
        groups = self.model.configure_optimizers(config)
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)
        self.model.train()
        self.iter_num, self.iter_time = 0, time.time()
        for x, y in self._batches():
            _, self.loss = self.model(x, y)
            self.model.zero_grad(set_to_none=True)
            self.loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.grad_norm_clip)
            self.optimizer.step()
            self.trigger_callbacks("on_batch_end")
            self.iter_num += 1
            now = time.time()
            self.iter_dt, self.iter_time = now - self.iter_time, now
            if config.max_iters is not None and self.iter_num >= config.max_iters:
                return
