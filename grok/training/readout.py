"""From a network's output to the loss, with a scale and a temperature per run.

Shapes: ``run`` - runs trained together; ``batch`` - predictions of one update; ``cls`` - classes.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grok.config import RunConfig
from grok.metrics.loss import cross_entropy, mse


def per_run(
    values: Sequence[float], dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "run 1 1"]:
    """One number per run, to be multiplied with logits."""
    return torch.tensor(values, dtype=dtype, device=device).reshape(-1, 1, 1)


def mean_loss(
    config: RunConfig,
    h: Float[Tensor, "run batch cls"],
    labels: Int[Tensor, "run batch"],
    temperature: Float[Tensor, "run 1 1"],
    dtype: torch.dtype,
) -> Float[Tensor, " run"]:
    """Mean loss of each run, without penalties, at its temperature, in this precision."""
    metric = cross_entropy if config.optim.loss == "cross_entropy" else mse
    return metric(h / temperature, labels, dtype)
