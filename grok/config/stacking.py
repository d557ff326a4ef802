"""Which runs can share one tensor program, and how many a process trains at once."""

import math
from collections.abc import Iterable
from dataclasses import replace

from grok.config.schema import RunConfig
from grok.models.config import PER_RUN

TOY_STACK = 16
"""Toy networks in one stack: a larger one leaves the cache of a core, a smaller one leaves the
cost of calls in the majority (measured)."""

IMAGE_STACK = 4
"""Perceptrons of images in one stack: their products fill a core, and a lone run is computed twice
(measured)."""

CUDA_STACK, CUDA_TOY_STACK = 128, 1024
"""Most runs of any kind, and toy networks, in one stack on a CUDA device, which fewer leave idle
(``make bench ARGS=gpu-stack``)."""

_OPTIM = (
    "lr",
    "lr_rule",
    "betas",
    "weight_decay",
    "hold",
    "reference_lr",
    "embed_lr",
    "embed_weight_decay",
    "unembed_lr",
)
_DATA = ("table_seed", "split_seed", "order_seed")
_IMAGES = ("init_scale",)
_TOY = ("embed_scale", "decoder_scale", "label_scale", "embed_l1")


def shared(config: RunConfig) -> RunConfig:
    """The config with everything that may differ inside a stack at a fixed value."""
    default = RunConfig()

    def reset(section: str, names: Iterable[str]) -> object:
        values = {name: getattr(getattr(default, section), name) for name in names}
        return replace(getattr(config, section), **values)

    parts = {"model": PER_RUN, "optim": _OPTIM, "data": _DATA, "toy": _TOY, "images": _IMAGES}
    sections = {section: reset(section, names) for section, names in parts.items()}
    return replace(config, tracking=default.tracking, **sections)


def stack_size(config: RunConfig, n_runs: int, workers: int, *, on_cuda: bool = False) -> int:
    """How many of ``n_runs`` runs like this one a process should train at once.

    A transformer fills a core by itself; small networks are stacked, as evenly as the processes
    allow. On a CUDA device all are stacked.
    """
    if on_cuda:
        return min(CUDA_TOY_STACK if config.problem == "toy" else CUDA_STACK, n_runs)
    largest = {"toy": TOY_STACK, "images": IMAGE_STACK}.get(config.problem, 1)
    if config.problem == "toy" and config.toy.decoder == "encoder":
        largest = 1
    return min(largest, math.ceil(n_runs / workers))
