"""Dropout in a stack: each run's masks come from its order seed and the step alone."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from grok.config import RunConfig
from grok.models.transformer import Dropout


def update_dropout(configs: Sequence[RunConfig], step: int) -> Dropout | None:
    """Dropout of one update of these runs; None where there is none."""
    first = configs[0]
    rate = first.toy.dropout if first.problem == "toy" else first.model.dropout
    return dropout(rate, [c.data.order_seed for c in configs], step) if rate else None


def dropout(rate: float, order_seeds: Sequence[int], step: int) -> Dropout:
    """Dropout of one update, so that any step can be redone without stored state.

    The seed and the step are mixed by numpy's ``SeedSequence``: torch's CPU generator keeps the
    low 32 bits of a seed only.

    Args:
        rate: Probability of dropping a number, in [0, 1).
        order_seeds: One per run, not negative.
        step: Updates done before this one, from 0.

    Returns:
        Function of a tensor ``[run, ...]`` that sets each number to 0 with probability ``rate``
        and divides the others by ``1 - rate``. Each call draws new masks, on the CPU.
    """
    # The third word keeps the masks apart from the order of mini-batches.
    entropy = [np.random.SeedSequence((seed, step, 1)) for seed in order_seeds]
    generators = [torch.Generator().manual_seed(int(e.generate_state(1)[0])) for e in entropy]

    def drop(x: Tensor) -> Tensor:
        kept = [torch.rand(x.shape[1:], generator=g) >= rate for g in generators]
        return x * torch.stack(kept).to(x) / (1 - rate)

    return drop
