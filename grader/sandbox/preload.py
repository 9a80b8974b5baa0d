"""What a worker has in memory before it is confined: afterwards no file outside the submission can be opened."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType

import torch

from grader.worker import adapting
from grader.worker.loading import Probe

# Modules that course files and torch itself import lazily. Small ones only: each costs every worker its page tables.
COMMON = """
    abc argparse ast base64 bisect cmath collections contextlib copy csv dataclasses datetime decimal difflib enum
    fractions functools gc getpass glob hashlib heapq html inspect io itertools json linecache logging math numbers
    operator os pathlib pickle platform pprint queue random re shutil statistics string struct tempfile textwrap
    threading time traceback types typing unicodedata uuid warnings weakref zipfile
    encodings.ascii encodings.cp437 encodings.idna encodings.latin_1 encodings.utf_8_sig
    numpy numpy.random numpy.linalg torch.nn.functional torch.nn.init torch.utils.data torch.utils.checkpoint
    torch.nn.utils.rnn torch.nn.utils.parametrizations torch.autograd.profiler torch.serialization torch.distributions
"""

# Where a suite's probes are: the author's, those of the short form, and what trains.
PROBES = ("probes", "check_probes", "training_probes")


def load_suite(suite: Path) -> dict[str, Probe]:
    """The probes of a suite by name. Probes may import the suite's own modules and those in `provided/`.

    Raises whatever the author's modules raise while they are imported.
    """
    provided = suite / "provided"
    sys.path[:0] = [str(suite)]
    if provided.is_dir():
        sys.path[:0] = [str(provided)]
        for path in sorted(provided.rglob("*.py")):
            relative = path.relative_to(provided).with_suffix("")
            importlib.import_module(".".join(part for part in relative.parts if part != "__init__"))
    present = [name for name in PROBES if (suite / f"{name}.py").is_file()]
    probes: dict[str, Probe] = {}
    for name in present or PROBES[:1]:
        more = public_functions(importlib.import_module(name))
        if twice := sorted(probes.keys() & more.keys()):
            raise ImportError(
                f"{name}.py and {' or '.join(present)}.py both define {', '.join(twice)}; rename one of them"
            )
        probes |= more
    return probes


def warm_up_training() -> None:
    """Import what an optimiser imports when it is made and stepped. It is dear, so only for suites that train."""
    for name in ("torch.optim", "torch.optim.lr_scheduler", "torch.nn.utils.clip_grad"):
        importlib.import_module(name)
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    for optimiser in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop):
        torch.optim.lr_scheduler.StepLR(optimiser([weight], lr=0.1), 1)
        optimiser([weight], lr=0.1).step()


def public_functions(module: ModuleType) -> dict[str, Probe]:
    """The functions that the module itself defines, by name."""
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
    }


def warm_up() -> None:
    """Import what is imported lazily and touch the processor detection, with one thread and without a backward.

    Done before any change of root: later torch could not read /proc/cpuinfo and would fall back to slower kernels
    with other numbers. Autograd's threads do not survive a fork.
    """
    torch.set_num_threads(1)
    adapting.install()
    for name in COMMON.split():
        importlib.import_module(name)
    torch.backends.cpu.get_cpu_capability()
    torch.overrides.resolve_name(torch.add)  # makes a table of torch's functions, or every traced run would
    with torch.no_grad():
        a = torch.ones(4, 4)
        (a @ a).exp().softmax(-1).sum()
        torch.nn.functional.layer_norm(a, (4,))
        torch.nn.functional.cross_entropy(a, torch.zeros(4, dtype=torch.long))
        torch.nn.LSTM(4, 4)(a[None])
        torch.nn.functional.conv2d(a[None, None], a[None, None])
        torch.randn(3, generator=torch.Generator().manual_seed(0))
    # With gradients it is another kernel, whose code is generated: 34 ms of each worker that uses it.
    torch.nn.LSTM(4, 4)(a[None])
