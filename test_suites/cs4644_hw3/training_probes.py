"""Trainings and predictions of problem set 3, on the student's own classes.

The loop is the suite's: AdamW with the betas, weight decay and clipping of the course's trainer, a short warm-up and a
linear fall of the learning rate. Batches are drawn on the CPU, so that every device sees the same ones.
"""

import parts
import stand_ins as given
import torch
from torch import nn

CLASSES = 4  # of pictures, the null token among them
WARM_UP = 30
POINTS = 50  # of a curve


# --- sorting, with the encoder-decoder -------------------------------------------------------------------------------


def train_sorting(modules, steps, symbols, length):
    data, batch = modules.given, 64
    with torch.device(modules.device):
        model = _sorter(modules, symbols, length)
        modules.keep_start(model.state_dict())

        def loss():
            rows = torch.randint(len(data["prefix"]), (batch,), device="cpu")
            return model(_there(modules, data["prefix"][rows]), _there(modules, data["targets"][rows]))[1]

        _optimise(modules, model, loss, steps, rate=2e-3)
    modules.keep(model.state_dict())
    return _counted(model)


def predict_order(modules, prefix, targets, symbols, length):
    """Logits of the targets (B, T, V + 1), position i of them from the prefix and the targets before i."""
    with torch.device(modules.device), torch.no_grad():
        model = _loaded(modules, lambda: _sorter(modules, symbols, length))
        logits, _ = model(_there(modules, prefix), _there(modules, targets))
    return {"logits": logits[:, prefix.shape[1] - 1 : -1].cpu()}


def sort_greedily(modules, prefix, symbols, length):
    """The most probable token, again and again: (B, length)."""
    with torch.device(modules.device), torch.no_grad():
        model = _loaded(modules, lambda: _sorter(modules, symbols, length))
        prefix, tokens = _there(modules, prefix), None
        for _ in range(length):
            logits, _ = model(prefix) if tokens is None else model(prefix, tokens)
            best = logits[:, -1].argmax(dim=-1, keepdim=True)
            tokens = best if tokens is None else torch.cat([tokens, best], dim=1)
    return {"tokens": tokens.cpu()}


def _sorter(modules, symbols, length):
    sizes = {"n_layer": 1, "n_head": 3, "n_embd": 48, "vocab_size": symbols, "block_size": 2 * length}
    return parts.llm(modules).EncoderDecoder(given.config_of(sizes), given.config_of(sizes)).to(modules.device)


# --- pig Latin, with the decoder -------------------------------------------------------------------------------------


def train_pig_latin(modules, steps, batch, rate, sizes):
    data = modules.given
    with torch.device(modules.device):
        model = _writer(modules, sizes)
        modules.keep_start(model.state_dict())

        def loss():
            rows = _neighbours(len(data["rows"]), batch)
            width = int(data["lengths"][rows].max())
            columns = (data["rows"][rows, :width], data["targets"][rows, :width])
            return model(*(_there(modules, column.long()) for column in columns))[1]

        _optimise(modules, model, loss, steps, rate)
    modules.keep(model.state_dict())
    return _counted(model)


def predict_bytes(modules, idx, sizes):
    """Logits (B, T, V), position i from the tokens up to and with i."""
    with torch.device(modules.device), torch.no_grad():
        model = _loaded(modules, lambda: _writer(modules, sizes))
        return {"logits": model(_there(modules, idx))[0].cpu()}


def write_greedily(modules, prompt, end, sizes, every_block=False):
    """The most probable tokens behind the prompts (B, P), until each row has its end or the block is full.

    `every_block`: the final norm stands behind every block, as some read the handout; for the reference alone.
    """
    with torch.device(modules.device), torch.no_grad():
        model = _loaded(modules, lambda: _writer(modules, sizes))
        if every_block:
            _normalise_every_block(model.transformer)
        idx = _there(modules, prompt)
        ended = torch.zeros(len(idx), dtype=torch.bool)
        while idx.shape[1] < sizes["block_size"] and not bool(ended.all()):
            best = model(idx)[0][:, -1].argmax(dim=-1, keepdim=True)
            best[ended] = end
            idx = torch.cat([idx, best], dim=1)
            ended |= best[:, 0] == end
    # As wide in every batch: what comes back for a row must not tell when the others ended.
    tokens = nn.functional.pad(idx, (0, sizes["block_size"] - idx.shape[1]), value=end)
    return {"tokens": tokens[:, prompt.shape[1] :].cpu()}


def _normalise_every_block(layers):
    for place, block in enumerate(layers["h"][:-1]):
        if not isinstance(block, given.NormedBlock):
            layers["h"][place] = given.NormedBlock(block, layers["ln_f"])


def _writer(modules, sizes):
    return parts.llm(modules).Decoder(given.config_of(sizes)).to(modules.device)


def _neighbours(count, batch):
    """Rows of about the same length: some of a window of rows, which are sorted by length."""
    window = min(4 * batch, count)
    first = int(torch.randint(count - window + 1, (1,), device="cpu"))
    return first + torch.randperm(window, device="cpu")[:batch]


# --- diffusion -------------------------------------------------------------------------------------------------------


def train_diffusion(modules, steps, denoising_steps, batch, width, rate):
    """The student's own `train`, on a network of the judge's; what is kept is its running average."""
    data = modules.given

    class Batches:
        def __len__(self):
            return steps

        def __iter__(self):
            for _ in range(steps):
                rows = torch.randint(len(data["images"]), (batch,), device="cpu")
                yield _there(modules, data["images"][rows]), _there(modules, data["labels"][rows])

    with torch.device(modules.device):
        model = _diffusion(modules, data["images"].shape[1:], denoising_steps, width)
        modules.keep_start(model.noise_pred_net.state_dict())
        model.optimizer = torch.optim.Adam(model.noise_pred_net.parameters(), lr=rate, weight_decay=1e-6)
        with modules.counting(steps, every=max(1, steps // POINTS)):
            model.train(data_loader=Batches(), train_epochs=1)
    modules.keep(model.ema.averaged_model.state_dict())
    return _counted(model.noise_pred_net)


def predict_noise(modules, x_t, t, cond, width):
    """The noise in pictures, as a network with the trained weights sees it. No line of the student's is run."""
    with torch.no_grad():
        model = _loaded(modules, lambda: given.SmallUnet(x_t.shape[1], width, CLASSES))
        return {"noise": model(x_t, t, cond)}


def draw_pictures(modules, cond, shape, denoising_steps, width):
    """Samples by the student's own loop. They are only looked at, so what goes wrong is no failure: None."""
    with torch.device(modules.device):
        try:
            model = _diffusion(modules, shape, denoising_steps, width)
            model.ema.averaged_model.load_state_dict(modules.given_weights())
            return {"samples": model.generate_sample(_there(modules, cond)).cpu().float()}
        except Exception:
            return {"samples": None}


def _diffusion(modules, shape, denoising_steps, width):
    net = given.SmallUnet(shape[0], width, CLASSES).to(modules.device)
    settings = {"condition_dim": CLASSES, "denoising_steps": denoising_steps}
    model = parts.a_model(modules, net, net, shape, False, **settings)
    model.device = model.noise_scheduler.device = torch.device(modules.device)
    for name in ("betas", "alphas", "alpha_bars"):
        setattr(model.noise_scheduler, name, _there(modules, getattr(model.noise_scheduler, name)))
    return model


# --- for all of them -------------------------------------------------------------------------------------------------


def _optimise(modules, model, loss_of_batch, steps, rate):
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.1)
    every = max(1, steps // POINTS)
    model.train()
    for step in range(1, steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, step / WARM_UP) * (1.0 - 0.95 * step / steps)
        loss = loss_of_batch()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % every == 0 or step in (1, steps):
            modules.report(step, loss=loss.item())


def _loaded(modules, build):
    """The trained model in evaluation mode, built and filled once per worker."""

    def filled():
        model = build()
        model.load_state_dict(modules.given_weights())
        return model.eval()

    return modules.cached("model", filled)


def _there(modules, tensor):
    return tensor.to(modules.device)


def _counted(model):
    return {"parameters": sum(parameter.numel() for parameter in model.parameters())}
