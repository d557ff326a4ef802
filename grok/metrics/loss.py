"""Losses and accuracy of a classifier, one value per run.

Shapes: ``run`` - independent runs trained together; ``batch`` - examples; ``c`` - classes.
Labels may lack leading run axes, or have them of size one: all runs then share them.
"""

import torch
from einops import reduce
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor
from torch.nn.functional import one_hot


def cross_entropy(
    logits: Float[Tensor, "*run batch c"],
    labels: Int[Tensor, "*#run batch"],
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "*run"]:
    r"""Mean cross-entropy :math:`-\frac1N \sum_i \ln \mathrm{softmax}(z_i)_{y_i}` of each run.

    The logits are cast before the log-softmax. In float32 an example that is right by more
    than about 17 nats has a loss of exactly 0 and no gradient, which is the rule late in a
    grokking run; in float64 the same happens at 37 nats.

    Args:
        logits: One row per example, unnormalised.
        labels: Right class of each example, 0, ..., c - 1.
        dtype: Precision of the log-softmax and of the mean.

    Returns:
        Loss in nats, non-negative, in ``dtype``; differentiable. An empty batch gives NaN.

    Raises:
        RuntimeError: If a label is outside 0, ..., c - 1. On CUDA it surfaces later, as a
            device-side assertion.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 3. The released training script stays in
        float32; the notebooks use float64, as here.
    """
    # Forward and backward, log-softmax and gather cost half of logsumexp minus gather, and no
    # more than torch's cross_entropy, which needs flat rows.
    log_probability = logits.log_softmax(dim=-1, dtype=dtype)
    index = labels.long().expand(logits.shape[:-1]).unsqueeze(-1)
    return -log_probability.gather(-1, index).squeeze(-1).mean(dim=-1)


def mse(
    logits: Float[Tensor, "*run batch c"],
    labels: Int[Tensor, "*#run batch"],
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "*run"]:
    r"""Mean squared distance :math:`\frac{1}{Nc}\sum_{ic} (z_{ic} - [c = y_i])^2` to one-hot.

    Args:
        logits: One row per example.
        labels: Right class of each example, 0, ..., c - 1.
        dtype: Precision of the difference and of the mean.

    Returns:
        Mean over examples and classes, in squared logits, non-negative, in ``dtype``;
        differentiable. An empty batch gives NaN. No factor 1/2 and no sum over classes:
        papers differ by these factors.

    Raises:
        RuntimeError: If a label is outside 0, ..., c - 1.
    """
    target = one_hot(labels.long(), logits.shape[-1])
    return reduce((logits.to(dtype) - target).square(), "... batch c -> ...", "mean")


def accuracy(
    logits: Float[Tensor, "*run batch c"], labels: Int[Tensor, "*#run batch"]
) -> Float64[Tensor, "*run"]:
    """Share of examples whose largest logit is that of the right class.

    Args:
        logits: One row per example.
        labels: Right class of each example, 0, ..., c - 1.

    Returns:
        Share in [0, 1]. Of tied largest logits the first counts as the answer. A row that
        contains NaN is wrong. An empty batch gives NaN.
    """
    return is_right(logits, labels).double().mean(dim=-1)


def logit_margin(
    logits: Float[Tensor, "*run batch c"], labels: Int[Tensor, "*#run batch"]
) -> Float[Tensor, "*run batch"]:
    """Logit of the right class less the largest other one, for each example.

    Args:
        logits: One row per example, at least two classes.
        labels: Right class of each example, 0, ..., c - 1.

    Returns:
        Margin in the units of the logits, positive where the answer is right; 0 for a tie.

    Raises:
        RuntimeError: If a label is outside 0, ..., c - 1.

    Reference:
        Soudry et al., `The Implicit Bias of Gradient Descent on Separable Data
        <https://arxiv.org/abs/1710.10345>`_, for several classes.
    """
    index = labels.long().expand(logits.shape[:-1]).unsqueeze(-1)
    right = logits.gather(-1, index)
    others = logits.scatter(-1, index, -torch.inf).amax(dim=-1)
    return right.squeeze(-1) - others


def is_right(
    logits: Float[Tensor, "*run batch c"], labels: Int[Tensor, "*#run batch"]
) -> Bool[Tensor, "*run batch"]:
    """Whether the largest logit of each example is that of the right class, as in accuracy.

    Args:
        logits: One row per example.
        labels: Right class of each example, 0, ..., c - 1.

    Returns:
        Of tied largest logits the first counts as the answer. A row that contains NaN is wrong.
    """
    largest, answer = logits.max(dim=-1)  # NaN, if the row has one
    return (answer == labels) & ~largest.isnan()
