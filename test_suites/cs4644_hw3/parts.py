"""How probes reach a student's parts, fill them with the judge's weights and put stand-ins around them."""

import sys

import numpy
import stand_ins as given
import torch
from diffusers.training_utils import EMAModel
from randomizer import DL_random
from torch import nn

from grader.probing import bind_names, gradient

# In which file of part 2 a class is written; all of them may stand in the notebook.
PART_2 = {"NoiseScheduler": "scheduler", "DiffusionModel": "diffusion", "ImageGenerator": "image_gen"}


def llm(modules):
    """Part 1: the exported file, or the notebook that it is exported from."""
    only_notebook = "llm" not in modules and "llm_notebook" in modules
    return modules["llm_notebook" if only_notebook else "llm"]


def subset(weights, start):
    """The weights whose names begin so, with the rest of their names."""
    return {name.removeprefix(start): value for name, value in weights.items() if name.startswith(start)}


def all_gradients(bound, **leaves):
    """Gradients by name, without those of key biases: softmax cancels a shift of all keys, they are rounding noise."""
    own = {name: value for name, value in bound.gradients().items() if not f".{name}".endswith(".k.bias")}
    return {**own, **{name: gradient(leaf) for name, leaf in leaves.items()}}


def without_projection(weights):
    """Attention weights whose output projection changes nothing."""
    size = len(weights["c_proj.bias"])
    return {**weights, "c_proj.weight": torch.eye(size), "c_proj.bias": torch.zeros(size)}


def backward(loss):
    """Backpropagate, unless there is no loss or it is detached: the comparison says that better than an exception."""
    if isinstance(loss, torch.Tensor) and loss.requires_grad:
        loss.backward()


def norm_after_every_block(modules):
    """Which of the two placements of the final norm the submission is read as having; the judge tries both."""
    readings = [("the final norm once, after the last block", False), ("the final norm after every block", True)]
    return modules.choose(readings)


def build(modules, name, config, weights, stand_in, every_block=False):
    """A GenericTransformer, Encoder or Decoder in evaluation mode, and what was bound."""
    net = getattr(llm(modules), name)(given.config_of(config))
    bound = fill(modules, net, weights, stand_in, every_block)
    return net.eval(), bound


def fill(modules, net, weights, stand_in, every_block=False):
    """Bind the weights. `stand_in` replaces embedding and blocks; `every_block`: see `norm_after_every_block`."""
    inside = ("transformer.embedding.", "transformer.h.")
    chosen = {
        name: value
        for name, value in weights.items()
        if name not in ("table", "mix") and not (stand_in and name.startswith(inside))
    }
    blocks = net.transformer["h"]
    if stand_in:
        net.transformer["embedding"] = given.StandInEmbedding(weights["table"])
        for place in range(len(blocks)):
            blocks[place] = given.StandInBlock(weights["mix"] * (place + 1))
    bound = bind_names(modules, net, chosen)
    if every_block:
        net.transformer["ln_f"] = given.AfterTheLast(net.transformer["ln_f"], len(blocks))
    return bound


def stand_in_leaves(net, stand_in):
    """The parameters of the stand-ins that `fill` put in, by name; none when the student's own parts are used."""
    if not stand_in:
        return {}
    blocks = {f"h.{place}": block.weight for place, block in enumerate(net.transformer["h"])}
    return {"embedding": net.transformer["embedding"].table, **blocks}


def use_mask(net, mask):
    """Let the model use this mask (B, 1, T, T), cut to the tokens at hand."""

    def cut(num_tokens):
        longest = int(num_tokens.max())
        return mask[:, :, :longest, :longest]

    net.get_attention_mask = cut


# --- part 2 --------------------------------------------------------------------------------------------------------


def file_of(modules, name):
    """The file with that class of part 2; its random numbers come from the judge."""
    file_id = PART_2[name]
    file = modules["diffusion_notebook" if file_id not in modules and "diffusion_notebook" in modules else file_id]
    file.provide(DL_random=DL_random)
    if (submitted := sys.modules.get("randomizer")) is not None:
        submitted.DL_random = DL_random  # for those who import the module
    return file


def part_2(modules, name):
    """A class of part 2."""
    return getattr(file_of(modules, name), name)


def as_float(value):
    """Numbers of whatever precision, and of NumPy, as float32; anything else as it is."""
    value = torch.from_numpy(value) if isinstance(value, numpy.ndarray) else value
    return value.float() if isinstance(value, torch.Tensor) else value


def a_scheduler(modules, schedule, stand_in):
    """The student's scheduler of so many steps; as a stand-in with the judge's schedule, which it has not computed.

    Its own has larger betas than usual: with the usual ones 1 - alpha_bar is next to nothing at the first steps, and
    who computes with tables in double precision, as one may, is further from float32 than any bound allows.
    """
    scheduler = part_2(modules, "NoiseScheduler")
    steps = len(schedule["betas"])
    if not stand_in:
        return scheduler(steps, beta_start=0.02, beta_end=0.4)
    made = scheduler.__new__(scheduler)
    vars(made).update(schedule, num_steps=steps, beta_start=0.0001, beta_end=0.02, device=torch.device("cpu"))
    return made


def keeps_the_condition(modules):
    """The p_uncond that leaves no condition out: who has it the wrong way round loses the points of guidance only."""
    return modules.choose([("conditions are kept at p_uncond = 0", 0.0), ("conditions are kept at p_uncond = 1", 1.0)])


def a_model(modules, net, averaged, shape, stand_in, **settings):
    """The student's DiffusionModel around a network of the judge's, and its running average.

    `settings` are those of the constructor; `stand_in` puts another scheduler into its place.
    """
    file, made = file_of(modules, "DiffusionModel"), part_2(modules, "DiffusionModel")
    scheduler = given.StandInScheduler if stand_in else part_2(modules, "NoiseScheduler")
    names = ("TesterModel", "ConditionalUnet1D", "ConditionalUnet2D")
    with file.replaced(NoiseScheduler=scheduler, **dict.fromkeys(names, lambda *a, **b: nn.Linear(1, 1))):
        model = made(tuple(shape), sequential=len(shape) == 2, test=True, **settings)
    model.noise_scheduler = scheduler(settings["denoising_steps"])  # whatever name the constructor knows it by
    model.noise_pred_net = net
    model.ema = EMAModel(model=averaged, power=0.75)
    return model


# --- theory --------------------------------------------------------------------------------------------------------


def numbers(value):
    """A tensor (float64) of whatever numbers a student wrote."""
    if isinstance(value, (list, tuple)):
        return torch.stack([numbers(entry) for entry in value])
    return torch.as_tensor(value).detach().to(torch.float64)
