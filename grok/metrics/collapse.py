r"""How far the samples of a class have collapsed to one point, and the classes stay apart.

Shapes: ``run`` - independent runs trained together; ``sample`` - examples; ``d`` - features. The
number of classes :math:`k` is given, labels are 0 to k - 1, and classes without samples are left
out. All is computed in float64, in a time proportional to samples, classes and features, and can
be differentiated.

Liu et al. is `Towards Understanding Grokking: An Effective Theory of Representation Learning
<https://arxiv.org/abs/2205.10343>`_.
"""

import torch
from einops import reduce
from jaxtyping import Float, Float64, Int
from torch import Tensor


def same_label_loss(
    features: Float[Tensor, "*run sample d"], label: Int[Tensor, "*run sample"], n_classes: int
) -> Float64[Tensor, "*run"]:
    r"""Squared distances between samples of one label, over the squared length of all.

    :math:`\sum_{x<y,\,c(x)=c(y)} |f(x)-f(y)|^2 \,/\, \sum_x |f(x)|^2`, each pair once. The pairs of
    a class with n samples add up to n times their squared distance from its mean.

    Args:
        features: One row per sample; where the origin lies matters for the denominator.
        label: Class of each sample.
        n_classes: Number of classes, at least every label + 1: a sample beyond belongs to none.

    Returns:
        0 for classes that are points, at most the size of the largest class. The scale of the
        features drops out; NaN where all of them are 0.

    Reference:
        Liu et al., appendix I. The text leaves open whether a pair counts twice; here once.
    """
    f = features.double()
    spread, n, _ = _by_class(f, label, n_classes)
    return (n * spread).sum(dim=-1) / reduce(f.square(), "... sample d -> ...", "sum")


def within_class_share(
    features: Float[Tensor, "*run sample d"], label: Int[Tensor, "*run sample"], n_classes: int
) -> Float64[Tensor, "*run"]:
    """Share of the variance of the features that is within classes.

    Squared distances from the mean of the class, over squared distances from the mean of all.

    Args:
        features: One row per sample.
        label: Class of each sample.
        n_classes: Number of classes, at least every label + 1.

    Returns:
        In [0, 1]: 0 for classes that are points, 1 for classes with one mean. NaN where all
        samples are one point.

    Reference:
        Measures the collapse in Liu et al., appendix I, which shows it as a picture.
    """
    f = features.double()
    spread, _, _ = _by_class(f, label, n_classes)
    from_mean = f - f.mean(dim=-2, keepdim=True)
    return spread.sum(dim=-1) / reduce(from_mean.square(), "... sample d -> ...", "sum")


def class_separation(
    features: Float[Tensor, "*run sample d"], label: Int[Tensor, "*run sample"], n_classes: int
) -> Float64[Tensor, "*run"]:
    """Smallest distance between the means of two classes, over the largest.

    Args:
        features: One row per sample.
        label: Class of each sample.
        n_classes: Number of classes, at least every label + 1.

    Returns:
        In [0, 1]: 0 where two classes have one mean, 1 where all are equally far apart, as two
        classes always are. NaN with fewer than two, or where all means are one point.

    Reference:
        Tells the collapse in Liu et al., appendix I, of samples of one label from that of all.
    """
    _, n, mean = _by_class(features.double(), label, n_classes)
    difference = mean[..., :, None, :] - mean[..., None, :, :]
    square = reduce(difference.square(), "... a b d -> ... a b", "sum")
    is_pair = (n[..., :, None] > 0) & (n[..., None, :] > 0)
    is_pair = is_pair & ~torch.eye(n_classes, dtype=torch.bool, device=n.device)
    smallest = reduce(torch.where(is_pair, square, torch.inf), "... a b -> ...", "min")
    largest = reduce(torch.where(is_pair, square, -torch.inf), "... a b -> ...", "max")
    return torch.where(largest >= 0, smallest / largest, torch.nan).sqrt()


def _by_class(
    f: Float64[Tensor, "*run sample d"], label: Int[Tensor, "*run sample"], n_classes: int
) -> tuple[Float64[Tensor, "*run cls"], Float64[Tensor, "*run cls"], Float64[Tensor, "*run cls d"]]:
    """Of each class: squared distance of its samples from their mean, their number, that mean."""
    cls = torch.arange(n_classes, device=label.device)
    member = (label[..., None] == cls).double()
    n = member.sum(dim=-2)
    # Sums about the mean of all lose fewer digits than those about a far origin.
    centre = f.mean(dim=-2, keepdim=True)
    offset = member.mT @ (f - centre) / n.clamp(min=1)[..., None]
    from_own = member.sum(dim=-1, keepdim=True) * (f - centre) - member @ offset
    spread = member.mT @ from_own.square()
    return reduce(spread, "... cls d -> ... cls", "sum"), n, centre + offset
