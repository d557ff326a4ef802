"""What every update adds to the norm of sets of parameters, alignments and direction cosines.

Beside them the projection on which the sign of the growth under gradient descent depends.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from grok.measures.snapshot import ByName, Dynamics, Readings, Snapshot
from grok.metrics.homogeneity import mean_surplus
from grok.models.parameter_sets import parameter_sets


def norm_dynamics(snapshot: Snapshot) -> Readings:
    r"""Norm dynamics of each set of parameters that the run asks for.

    With :math:`\delta_t = \theta_{t+1} - \theta_t`, whatever the optimiser did, sums over all
    updates so far obey

    .. math:: \lVert\theta_T\rVert^2 = \lVert\theta_0\rVert^2 + \sum \lVert\delta_t\rVert^2
              + 2 \sum \theta_t \cdot \delta_t.

    What is of a single update is of the last one, which led to the parameters of this step; the
    gradient of ``align/theta_neggrad`` is that of the whole training loss at them, the one of
    ``align/delta_neggrad`` what the optimiser was given for that update. A cosine with a vector of
    norm 0 is NaN, and so is a share of no growth.

    The norm of all parameters, and of its gradient and update, are readings of the family ``norm``.

    Args:
        snapshot: Of a stack that keeps the sums; of any other, nothing is read.

    Returns:
        By key; keys of the last update are missing at step 0, direction cosines with earlier
        parameters off the multiples of ``measures.dynamics.lag``, shares of weight decay where an
        update has no such part (adam, sgd with momentum), the surplus of logits where the loss is
        no cross-entropy.

    Reference:
        Merrill et al. 2021, sections 3.1 and 3.2, figures 1 and 5. Departures: alignment and step
        are those of single updates, not of differences between checkpoints, in which updates that
        are alike add up.
    """
    if not snapshot.has("dynamics"):
        return {}
    products, readings = _Products(snapshot), {}
    for name, members in parameter_sets(snapshot.params, snapshot.dynamics.sets).items():
        found = _of_set(products, members)
        if name == "all":
            found = {key: x for key, x in found.items() if key not in _OF_NORM}
        readings |= {f"{key}/{name}": x for key, x in found.items()}
    return readings | _margins(products)


CHUNK = 4096
"""Examples of each run whose logits are looked at at once."""
_OF_NORM = ("norm/theta", "norm/grad", "norm/delta")


def _of_set(products: "_Products", members: Sequence[str]) -> Readings:
    readings = {**_totals(products, members), **_directions(products, members)}
    if products.snapshot.has("delta"):
        readings |= _last_update(products, members)
    if products.sums.has_decay_part:
        readings |= _decay(products, members)
    return readings


def _totals(products: "_Products", members: Sequence[str]) -> Readings:
    """Norm and what all updates did to its square."""
    square = products.total("theta", "theta", members)
    start = products.total("initial", "initial", members)
    squares, cross = (_sum(x, members) for x in (products.sums.squares, products.sums.cross))
    n_weights = sum(products.snapshot.params[name][0].numel() for name in members)
    return {
        "norm/theta": square.sqrt(),
        "norm/rms": (square / n_weights).sqrt(),
        "norm/cum_delta_sq": squares,
        "norm/cum_cross": 2 * cross,
        "norm/misaligned_share": squares / (square - start),
        "norm/identity_residual": (square - start - squares - 2 * cross).abs() / square,
    }


def _directions(products: "_Products", members: Sequence[str]) -> Readings:
    readings = {
        "dir/cos_init": products.cosine("theta", "initial", members),
        "norm/grown_share": _grown_share(products.snapshot, members),
    }
    if products.sums.lagged is not None:
        readings["dir/cos_prev"] = products.cosine("theta", "lagged", members)
    if products.snapshot.has("gradient"):
        readings["norm/grad"] = products.total("grad", "grad", members).sqrt()
        readings["align/theta_neggrad"] = -products.cosine("theta", "grad", members)
    return readings


def _grown_share(snapshot: Snapshot, members: Sequence[str]) -> Tensor:
    """Share of single weights that are further from 0 than at step 0."""
    now, start = snapshot.params, snapshot.initial
    grown = [(now[name].abs() > start[name].abs()).flatten(1) for name in members]
    return torch.cat(grown, dim=1).double().mean(dim=1)


def _last_update(products: "_Products", members: Sequence[str]) -> Readings:
    """What the last update did, and how far it was along theta and down the gradient."""
    square = products.total("delta", "delta", members)
    growth = 2 * products.total("before", "delta", members) + square
    rated = _sum(_scaled(products.by_name("before", "before"), products.sums.rates), members)
    readings = {
        "norm/delta": square.sqrt(),
        "align/theta_delta": products.cosine("before", "delta", members),
        "norm/pyth_ratio": growth / square,
        "norm/kappa": (square / rated).sqrt(),
    }
    if products.sums.gradient is not None:
        readings["align/delta_neggrad"] = -products.cosine("delta", "given", members)
    return readings


def _decay(products: "_Products", members: Sequence[str]) -> Readings:
    """What weight decay takes, and where it would balance the rest."""
    sums = products.sums
    rates = _sum(sums.rate_squares, members)
    taken = _sum({n: x * sums.decays[n] for n, x in sums.rate_squares.items()}, members)
    growth = products.total("theta", "theta", members) - products.total(
        "initial", "initial", members
    )
    readings = {
        "norm/cum_decay": 2 * taken,
        "norm/decay_threshold": (taken + growth / 2) / rates,
    }
    if not products.snapshot.has("delta"):
        return readings
    factor = {name: rate * sums.decays[name] for name, rate in sums.rates.items()}
    before = products.total("before", "before", members)
    decay = _sum(_scaled(products.by_name("before", "before"), factor), members)
    steps = products.by_name("before", "delta")
    along = _sum({name: steps[name] * x for name, x in factor.items()}, members)
    square = products.total("delta", "delta", members)
    rest = square + 2 * along + decay  # of delta + eta lambda theta
    shrink = (decay / before).sqrt()
    readings["norm/wd_part"] = (decay / square).sqrt()
    readings["norm/equilibrium"] = (rest / (shrink * (2 - shrink))).sqrt()
    return readings


def _margins(products: "_Products") -> Readings:
    """Theta . grad L, and what it is a multiple of in a homogeneous network."""
    snapshot, readings = products.snapshot, {}
    if snapshot.has("gradient"):
        readings["margin/theta_grad"] = products.total("theta", "grad", list(snapshot.params))
    temperature = products.sums.temperature
    if temperature is None or not snapshot.has("predictions"):
        return readings
    for split, (h, labels) in snapshot.predictions.items():
        readings[f"margin/surplus/{split}"] = _surplus(h / temperature.view(-1, 1, 1), labels)
    return readings


def _surplus(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean surplus, some examples at a time: a text has many."""
    parts = list(zip(logits.split(CHUNK, 1), labels.split(CHUNK, 1), strict=True))
    sums = [mean_surplus(f, y) * f.shape[1] for f, y in parts]
    return torch.stack(sums).sum(dim=0) / logits.shape[1]


def _scaled(squares: ByName, factors: ByName) -> ByName:
    """Squares of vectors that are multiplied by a factor; what has none is not trained."""
    return {name: squares[name] * factor.square() for name, factor in factors.items()}


def _sum(values: ByName, members: Sequence[str]) -> Tensor:
    """Sum over the members of a set; parameters that are not trained have no value and add 0."""
    nothing = torch.zeros_like(next(iter(values.values())))
    return sum((values[name] for name in members if name in values), start=nothing)


class _Products:
    """Inner products of pairs of vectors by parameter, each computed once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._found: dict[tuple[str, str], ByName] = {}

    @property
    def sums(self) -> Dynamics:
        """Sums over all updates."""
        return self.snapshot.dynamics

    @cached_property
    def _before(self) -> ByName:
        """Parameters before the last update."""
        delta = self.snapshot.delta
        return {n: x.double() - delta[n].double() for n, x in self.snapshot.params.items()}

    def _vector(self, name: str) -> ByName:
        if name == "before":
            return self._before
        if name == "given":
            return self.sums.gradient or {}
        if name == "lagged":
            return self.sums.lagged or {}
        part = {"theta": "params", "grad": "gradient"}.get(name, name)
        return getattr(self.snapshot, part)

    def by_name(self, x: str, y: str) -> ByName:
        """Products x . y of each parameter that both have, ``[run]``, in float64."""
        if (x, y) not in self._found:
            left, right = self._vector(x), self._vector(y)
            self._found[x, y] = {n: _inner(left[n], right[n]) for n in left if n in right}
        return self._found[x, y]

    def total(self, x: str, y: str, members: Sequence[str]) -> Tensor:
        """Product x . y of a set."""
        return _sum(self.by_name(x, y), members)

    def cosine(self, x: str, y: str, members: Sequence[str]) -> Tensor:
        """Cosine of x and y restricted to a set; NaN where one of them is 0."""
        squares = self.total(x, x, members) * self.total(y, y, members)
        return self.total(x, y, members) / squares.sqrt()


def _inner(x: Tensor, y: Tensor) -> Tensor:
    """Per run, ``[run]``."""
    return (x.double().flatten(1) * y.double().flatten(1)).sum(dim=1)
