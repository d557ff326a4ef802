"""Check of Liu et al. 2022 that needs images and no network that is trained.

`Towards Understanding Grokking: An Effective Theory of Representation Learning
<https://arxiv.org/abs/2205.10343>`_, appendix I.
"""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from grok.claims.checks import Readings
from grok.claims.evidence import NotRun
from grok.data.images import digits
from grok.inputs import InputError
from grok.metrics.collapse import class_separation, same_label_loss, within_class_share
from grok.models.mlp import Mlp

SEEDS = (456, 789, 111)
"""Of the perceptrons."""
N_STEPS, LEARNING_RATE = 100, 1e-3
"""Of Adam."""
DESCENT_STEPS, DESCENT_RATE = 500, 0.04
"""Of gradient descent, the rate in units of the squared norm over the number of images: steps small
enough for a flow, and enough of them for a collapse."""


def et_d8() -> Readings:
    """Points in a plane that the same-label loss moves, starting from digits seen by a perceptron.

    Criterion: the share of the variance within classes falls ten times, the least distance between
    class means stays above 1 % of the largest, and gradient descent, which does the same, keeps the
    squared norm. Departure: digits of scikit-learn in place of MNIST.

    Returns:
        ``fall``: share of the variance within classes at the end over that at the start;
        ``apart``: separation of the means at the end; ``descent``: as ``fall``, under gradient
        descent; ``drift``: relative change of the squared norm under it. By seed.

    Raises:
        NotRun: If scikit-learn is not installed.
    """
    try:
        images = digits()
    except InputError as error:
        raise NotRun(str(error)) from None
    readings: Readings = {"fall": {}, "apart": {}, "descent": {}, "drift": {}}
    for seed in SEEDS:
        start, label = seen(images.x, seed), images.label
        end, moved = collapsed(start, label), descended(start, label)
        share, *after = (within_class_share(x, label, 10) for x in (start, end, moved))
        values = {
            "fall": after[0] / share,
            "apart": class_separation(end, label, 10),
            "descent": after[1] / share,
            "drift": (moved.square().sum() / start.square().sum() - 1).abs(),
        }
        for name, value in values.items():
            readings[name][str(seed)] = float(value)
    return readings


def seen(x: Tensor, seed: int) -> Float64[Tensor, "sample 2"]:
    """Images through a perceptron 64-200-200-2 with torch's initial parameters."""
    network = Mlp((x.shape[1], 200, 200, 2), "relu")
    drawn = network.initial(torch.Generator().manual_seed(seed), 1.0)
    params = {name: value[None] for name, value in drawn.items()}
    return network(params, x.double()[None])[0]


def collapsed(start: Float64[Tensor, "sample 2"], label: Int64[Tensor, " sample"]) -> Tensor:
    """Where Adam on the same-label loss takes the points themselves."""
    points = start.clone().requires_grad_()
    adam = torch.optim.Adam([points], lr=LEARNING_RATE)
    for _ in range(N_STEPS):
        (points.grad,) = torch.autograd.grad(same_label_loss(points, label, 10), [points])
        adam.step()
    return points.detach()


def descended(start: Float64[Tensor, "sample 2"], label: Int64[Tensor, " sample"]) -> Tensor:
    """The same by small steps of gradient descent, a discrete gradient flow."""
    points, rate = start.clone(), DESCENT_RATE * float(start.square().sum()) / len(start)
    for _ in range(DESCENT_STEPS):
        points.requires_grad_()
        (gradient,) = torch.autograd.grad(same_label_loss(points, label, 10), [points])
        points = (points - rate * gradient).detach()
    return points
