"""What a seed draws in the toy task of Liu et al. 2022: training set, targets, first parameters.

Shapes: ``p`` - symbols; ``d`` - dimensions of the embedding; ``train`` - training samples;
``label`` - the 2 p - 1 labels; ``out`` - outputs; ``fan_in``, ``fan_out`` - of a layer.

Two orders of the same draws are in use, numpy's stream for data and torch's for parameters. Both
are followed number by number on streams of their own, so that stored results can be compared with
ours; nothing global is seeded.

Liu et al. is `Towards Understanding Grokking: An Effective Theory of Representation Learning
<https://arxiv.org/abs/2205.10343>`_; their code is github.com/ejmichaud/grokking-squared.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

Loss = Literal["mse", "cross_entropy"]
N_TARGETS = 30
"""Outputs of a regression."""


class ToyDraw(NamedTuple):
    """Everything random in a run with a full batch."""

    train: Int64[Tensor, " train"]
    """Training samples, in the order drawn; rows of
    :func:`grok.metrics.samples.unordered_pairs`."""
    targets: Float32[Tensor, "label out"] | None
    """Target of each label, standard normal; None under cross-entropy in the published order."""
    embedding: Float32[Tensor, "p d"]
    """Uniform in [-1/2, 1/2); the caller multiplies by the initial scale."""
    decoder: dict[str, Float32[Tensor, "..."]]
    """``W_1``, ``b_1`` to ``W_3``, ``b_3``: ``W`` is (fan_out, fan_in), as torch's Linear has it,
    uniform in +-1/sqrt(fan_in) like ``b``."""


def train_add_draw(
    seed: int,
    *,
    p: int = 10,
    n_train: int = 45,
    d: int = 1,
    width: int = 200,
    loss: Loss = "mse",
) -> ToyDraw:
    """The draw of the released script ``train_add``.

    numpy: targets, training set. torch: embedding, decoder d-width-width-out.

    Args:
        seed: Of both streams.
        p: Symbols, at least 1.
        n_train: Training samples of the p (p + 1) / 2.
        d: Dimensions of the embedding.
        width: Of the two hidden layers.
        loss: 30 outputs for ``mse``, one per label for ``cross_entropy``, which draws targets of
            that many columns too.

    Raises:
        ValueError: If ``n_train`` is not between 1 and the number of samples.
    """
    numpy, generator = _streams(seed)
    n_out = N_TARGETS if loss == "mse" else 2 * p - 1
    targets = numpy.normal(0, 1, (2 * p - 1, n_out))
    train = _training_set(numpy, p, n_train)
    embedding = _uniform(p, d, generator)
    decoder = _mlp((d, width, width, n_out), generator)
    return ToyDraw(train, torch.as_tensor(targets, dtype=torch.float32), embedding, decoder)


def published_draw(
    seed: int,
    *,
    p: int = 10,
    n_train: int = 45,
    d: int = 1,
    width: int = 200,
    loss: Loss = "mse",
) -> ToyDraw:
    """The draw of the notebooks behind the published phase diagrams.

    numpy: an unused (p, out) matrix, targets (``mse`` only), training set. torch: an unused encoder
    10-width-width-1, decoder d-width-width-out, embedding.

    Args:
        seed: Of both streams.
        p: Symbols, at least 1.
        n_train: Training samples of the p (p + 1) / 2.
        d: Dimensions of the embedding.
        width: Of the hidden layers.
        loss: 30 outputs for ``mse``, one per label for ``cross_entropy``, which has no targets.

    Raises:
        ValueError: If ``n_train`` is not between 1 and the number of samples.

    Reference:
        Liu et al., figures 4(c,d) and 6; the order was confirmed by the initial embeddings drawn in
        figure 4(c,d), which are seed 9's. Departure: the encoder's output is 1 for every ``d``.
    """
    numpy, generator = _streams(seed)
    n_out = N_TARGETS if loss == "mse" else 2 * p - 1
    numpy.normal(0, 1, (p, n_out))
    targets = None
    if loss == "mse":
        targets = torch.as_tensor(numpy.normal(0, 1, (2 * p - 1, n_out)), dtype=torch.float32)
    train = _training_set(numpy, p, n_train)
    _mlp((10, width, width, 1), generator)
    decoder = _mlp((d, width, width, n_out), generator)
    return ToyDraw(train, targets, _uniform(p, d, generator), decoder)


def _streams(seed: int) -> tuple[np.random.RandomState, torch.Generator]:
    return np.random.RandomState(seed), torch.Generator().manual_seed(seed)


def _training_set(numpy: np.random.RandomState, p: int, n_train: int) -> Int64[Tensor, " train"]:
    n_samples = p * (p + 1) // 2
    if not 1 <= n_train <= n_samples:
        raise ValueError(f"n_train={n_train}: allowed are 1 to {n_samples}")
    return torch.as_tensor(numpy.choice(n_samples, n_train, replace=False), dtype=torch.int64)


def _uniform(p: int, d: int, generator: torch.Generator) -> Float32[Tensor, "p d"]:
    return torch.rand(p, d, generator=generator, dtype=torch.float32) - 0.5


def _mlp(sizes: tuple[int, ...], generator: torch.Generator) -> dict[str, Tensor]:
    """Linear layers in torch's default initialisation, weight before bias, first layer first."""
    parameters = {}
    for k, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        weight = torch.empty(fan_out, fan_in, dtype=torch.float32)
        bias = torch.empty(fan_out, dtype=torch.float32)
        uniform: Callable[..., Tensor] = torch.nn.init.kaiming_uniform_
        parameters[f"W_{k}"] = uniform(weight, a=5**0.5, generator=generator)
        parameters[f"b_{k}"] = bias.uniform_(-(fan_in**-0.5), fan_in**-0.5, generator=generator)
    return parameters
