r"""How many positions the heads of saturated attention attend to, and what kind of heads they are.

Shapes: ``run`` - independent runs trained together; ``batch`` - examples; ``head``; ``query``,
``key`` - positions; fewer queries than keys are the last positions. *Saturated* weights are those
of the saturated network (parameters times 1000) or of the scores as they are
(:func:`grok.metrics.attention.saturated_pattern`). A key is *visible* to a query unless it is
masked or padding. All in float64.
"""

from typing import NamedTuple

import torch
from einops import reduce
from jaxtyping import Bool, Float, Float64
from torch import Tensor

ATTENDED = 1e-5
"""Weight from which a position is attended to: that of the released code."""


class HeadStatistics(NamedTuple):
    """What each head attends to, over the queries that see a key."""

    n_mean: Float64[Tensor, "*run head"]
    """Mean number n of visible positions with a weight above :data:`ATTENDED`."""
    n_std: Float64[Tensor, "*run head"]
    """Its standard deviation, of all queries and not of a sample."""
    frac: Float64[Tensor, "*run head"]
    """Mean share of the visible positions that are attended to."""
    split: Float64[Tensor, "*run head"]
    """Share of the queries that attend to more than one position."""
    split_of_many: Float64[Tensor, "*run head"]
    """The same of the queries that see two positions or more."""
    distance: Float64[Tensor, "*run head"]
    """Mean distance |query - key| in positions, by weight."""
    relative_distance: Float64[Tensor, "*run head"]
    """That over the mean distance of uniform attention to what is visible."""
    leak: Float64[Tensor, "*run head"]
    """Mean weight on positions that are not visible; 0 with a right mask."""


def head_statistics(
    weights: Float[Tensor, "*run batch head query key"],
    visible: Bool[Tensor, "*rows query key"],
) -> HeadStatistics:
    """Statistics of heads from saturated weights.

    Args:
        weights: Saturated attention weights.
        visible: Whether a query may see a key; leading axes may be fewer or of size one, and are
            then shared. A query that sees nothing is left out of every mean: make the rows of
            padding so.

    Returns:
        One value per head, each a mean over the queries of all examples alike. NaN where no query
        counts, and for ``split_of_many`` where none sees two positions; ``relative_distance`` is
        NaN where uniform attention has distance 0, every query seeing itself alone.

    Reference:
        Merrill et al., `Effects of Parameter Norm Growth During Transformer Training
        <https://arxiv.org/abs/2010.09697>`_, figure 3, has ``n_mean``, ``n_std`` and
        ``split``, from code that counts all positions, visible or not, and padding queries too:
        give it ``visible`` all True. Its mask multiplies scores by 0, so that a head whose visible
        scores are all negative attends to what is masked: see ``leak``. The others are ours.
    """
    weights, seen = weights.double(), visible.expand(weights.shape)
    n_seen = seen.sum(dim=-1).double()
    n = (seen & (weights > ATTENDED)).sum(dim=-1).double()
    n = torch.where(weights.isnan().any(dim=-1), torch.nan, n)
    distances = _distances(weights)
    uniform = seen.double() / n_seen.unsqueeze(-1)
    counts = n_seen > 0
    distance = _mean((weights * distances).sum(dim=-1), counts)
    n_mean = _mean(n, counts)
    is_split = torch.where(n.isnan(), n, (n > 1).double())
    return HeadStatistics(
        n_mean,
        _mean((n - n_mean[..., None, :, None]).square(), counts).sqrt(),
        _mean(n / n_seen, counts),
        _mean(is_split, counts),
        _mean(is_split, n_seen > 1),
        distance,
        distance / _mean((uniform * distances).sum(dim=-1), counts),
        _mean(torch.where(seen, 0.0, weights).sum(dim=-1), counts),
    )


def _distances(weights: Tensor) -> Float64[Tensor, "query key"]:
    """Distance of each query to each key, the queries being the last positions."""
    n_query, n_key = weights.shape[-2:]
    keys = torch.arange(n_key, device=weights.device, dtype=torch.float64)
    return (keys[n_key - n_query :].unsqueeze(-1) - keys).abs()


def _mean(x: Tensor, counts: Tensor) -> Tensor:
    """Mean over the queries that count, of all examples."""
    total = reduce(torch.where(counts, x, 0.0), "... batch head query -> ... head", "sum")
    return total / reduce(counts.double(), "... batch head query -> ... head", "sum")


class HeadClass(NamedTuple):
    """Which kind each head is; none if its statistics are NaN."""

    is_argmax: Bool[Tensor, "*run head"]
    """Attends to one or two positions."""
    is_mean: Bool[Tensor, "*run head"]
    """Attends to nearly all that it sees, and is no argmax head."""
    is_mixed: Bool[Tensor, "*run head"]
    """Neither."""


def head_class(
    n_mean: Float[Tensor, "*run head"],
    frac: Float[Tensor, "*run head"],
    argmax_below: float = 2.0,
    mean_from: float = 0.9,
) -> HeadClass:
    """Class of each head from its statistics.

    Args:
        n_mean: Mean number of positions attended to.
        frac: Mean share of the visible positions.
        argmax_below: Largest ``n_mean`` of an argmax head. On ``a b =`` a tie of a and b is within
            2 and one of all three is not.
        mean_from: Least ``frac`` of a mean head.

    Reference:
        Merrill et al. 2021, figure 3, where the classes are told apart by eye; the thresholds are
        ours. A head that is both, as one that sees only itself, is argmax.
    """
    is_known = n_mean.isfinite() & frac.isfinite()
    is_argmax = is_known & (n_mean <= argmax_below)
    is_mean = is_known & ~is_argmax & (frac >= mean_from)
    return HeadClass(is_argmax, is_mean, is_known & ~is_argmax & ~is_mean)
