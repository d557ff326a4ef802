"""What is said of a series of a parameter norm: laws, models of the dynamics, and its balance.

Shapes: ``reading`` - steps at which the norm was read, ascending; ``update`` - updates, from 0;
``run`` - runs that differ in weight decay alone.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Real

from grok.theory.growth import fit_growth_law
from grok.theory.norm_dynamics import compare_dynamics

_LARGEST = 1e150


def norm_fits(
    steps: Real[np.ndarray, " reading"],
    norms: Float64[np.ndarray, " reading"],
    rates: Float64[np.ndarray, " update"] | None = None,
    squares: Float64[np.ndarray, " reading"] | None = None,
) -> dict[str, float]:
    """Every fit to a norm as named numbers, the last parts of the keys ``fit/<set>/<what>``.

    Args:
        steps: As for :func:`~grok.theory.growth.fit_growth_law`.
        norms: As there, but readings that are 0, or whose square is no float64, are left out.
        rates: Learning rate of every update; None leaves the models of the dynamics out.
        squares: Sums of squared updates; None leaves the model by measured updates out. Readings
            at which the sum is not finite are left out.

    Returns:
        ``r2_linear``, ``r2_sqrt``, ``r2_fourth_root``, ``r2_log`` (affine in these), ``r2_square``
        (of the squared norm, from the first), ``p``, ``p_se``, ``p_r2`` (free exponent),
        ``log_slope``; with rates ``r2_<model>`` and ``kappa_<model>`` for ``aligned``,
        ``misaligned``, ``constant`` and ``measured``. Empty with less than three readings.

    Raises:
        ValueError: As the functions above; steps must be whole numbers where rates are given.
    """
    kept = (norms > 0) & (norms < _LARGEST)
    if squares is not None:
        kept &= np.isfinite(squares)
    if kept.sum() < 3:
        return {}
    t, x = steps[kept], norms[kept]
    law = fit_growth_law(t, x)
    found = {f"r2_{name}": fit.r2 for name, fit in law.affine.items()}
    found |= {"r2_square": law.square.r2, "log_slope": law.log_slope}
    found |= {"p": law.power.p, "p_se": law.power.p_se, "p_r2": law.power.r2}
    if rates is not None:
        models = compare_dynamics(t, x, rates, None if squares is None else squares[kept])
        found |= {f"r2_{name}": fit.r2 for name, fit in models.items()}
        found |= {f"kappa_{name}": fit.kappa for name, fit in models.items()}
    return found


class Balance(NamedTuple):
    """What all updates of a run did to a squared norm, by the criterion of each summed up.

    An update with the part - eta lambda theta lets the norm grow where lambda is below
    (- theta . u + eta |u|^2 / 2) / |theta|^2, u being the rest of it over - eta; summed with the
    weights eta |theta|^2 over a run, where what the rest adds is more than what decay takes.
    """

    added: float
    """What updates would have added without their decay, to first order in eta lambda."""
    taken: float
    """What decay took, 0 or more."""

    @property
    def change(self) -> float:
        """Growth of the squared norm from the first step to this one; exact but for rounding."""
        return self.added - self.taken

    @property
    def sign(self) -> int:
        """1 where the norm grows, -1 where it shrinks, 0 where neither."""
        return int(np.sign(self.change))


def growth_balance(cum_delta_sq: float, cum_cross: float, cum_decay: float = 0.0) -> Balance:
    """The balance of a run from its sums.

    Args:
        cum_delta_sq: Reading ``norm/cum_delta_sq``: sum of squared updates.
        cum_cross: Reading ``norm/cum_cross``: twice the sum of their products with the parameters.
        cum_decay: Reading ``norm/cum_decay``; 0 for an optimiser without it.

    Returns:
        The balance; ``change`` and ``sign`` need no ``cum_decay``.

    Reference:
        The identity of the step that Merrill et al. 2021 use in section 3.2, and their equation 3,
        where lambda is eta times ours.
    """
    return Balance(cum_delta_sq + cum_cross + cum_decay, cum_decay)


def decay_bracket(
    decays: Float64[np.ndarray, " run"], changes: Float64[np.ndarray, " run"]
) -> tuple[float, float]:
    """Weight decays between which a norm stops growing, from runs that differ in decay alone.

    Args:
        decays: lambda of each run, 0 or more, ascending.
        changes: Growth of its (squared) norm; only the sign counts.

    Returns:
        The last decay up to which every run grew, and the next one, with which it did not: (-inf,
        first) where the first did not grow, (last, inf) where all did.

    Raises:
        ValueError: If decays do not ascend, or a change is NaN.
    """
    if not (np.diff(decays) > 0).all() or np.isnan(changes).any():
        raise ValueError("decays must ascend, each with a change that is a number")
    grew = int(np.argmin(np.append(changes > 0, False)))  # before the first that did not
    edges = [-np.inf, *(float(x) for x in decays), np.inf]
    return edges[grew], edges[grew + 1]
