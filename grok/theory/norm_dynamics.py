"""What makes a parameter norm grow: models of its dynamics, its equilibrium under weight decay.

Shapes: ``reading`` - steps at which the norm was read, ascending; ``update`` - updates, from 0.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Real

from grok.theory.growth import check_series, least, r_squared


class ModelFit(NamedTuple):
    """A model of the dynamics, fitted to a series of the norm."""

    kappa: float
    """Constant of the model that fits the norm best; 0 where the norm does not grow."""
    r2: float
    """1 - SSE/SST of the norm, -inf to 1; NaN for a constant norm."""
    kappa_log: float
    """Constant that fits the logarithm of the norm best."""
    r2_log: float
    """1 - SSE/SST of the logarithm."""


Curve = Callable[[float], Float64[np.ndarray, " reading"]]
"""The model's norm at each reading, as a function of kappa^2."""


def compare_dynamics(
    steps: Real[np.ndarray, " reading"],
    norms: Float64[np.ndarray, " reading"],
    rates: Float64[np.ndarray, " update"],
    squares: Float64[np.ndarray, " reading"] | None = None,
) -> Mapping[str, ModelFit]:
    r"""How well each model of the dynamics predicts a norm from its first value n_0.

    With :math:`\eta_i` the rate of update i, sums from the first reading on, and one constant:

    - ``aligned``, each step along theta: :math:`n_0 \exp(\kappa \sum \eta_i)`;
    - ``misaligned``, each at right angles: :math:`n_0 \exp(\kappa^2 \sum \eta_i^2 / 2)`; both for
      steps of length :math:`\kappa \eta_i \lVert\theta\rVert`;
    - ``constant``, at right angles, of length :math:`\kappa \eta_i` whatever the norm, as those of
      Adam nearly are: :math:`(n_0^2 + \kappa^2 \sum \eta_i^2)^{1/2}`;
    - ``measured``, at right angles, of the length that they had: :math:`(n_0^2 + \sum
      \lVert\delta_i\rVert^2)^{1/2}`. Nothing is free; its kappa is that of the steps,
      :math:`(\sum \lVert\delta_i\rVert^2 / \sum \eta_i^2 \lVert\theta_i\rVert^2)^{1/2}`, with norms
      between readings interpolated.

    Args:
        steps: Steps of the readings, whole numbers, ascending.
        norms: Norm at each, positive.
        rates: Learning rate of every update up to the last reading at least.
        squares: Sum of the squared lengths of all updates before each reading (log key
            ``norm/cum_delta_sq``); None leaves ``measured`` out.

    Returns:
        By name of the model. Without a rate above 0 after the first reading kappa is NaN.

    Raises:
        ValueError: As :func:`~grok.theory.growth.fit_growth_law`; if a rate is missing, negative
            or not finite; if ``squares`` has another length or falls.

    Reference:
        Merrill et al. 2021, section 3.2 and appendix B. Departures: its t^{1/2} under rates
        1/sqrt(t) needs kappa = 1, which here is fitted; ``constant`` and ``measured`` are ours.
    """
    check_series(steps, norms)
    at = np.asarray(steps, dtype=np.int64)
    sums = [total[at] - total[at[0]] for total in _cumulative(rates, int(at[-1]))]
    n, start = norms.astype(np.float64), float(norms[0])
    curves: dict[str, Curve] = {
        "aligned": lambda c: start * np.exp(np.sqrt(c) * sums[0]),
        "misaligned": lambda c: start * np.exp(c * sums[1] / 2),
        "constant": lambda c: np.sqrt(start**2 + c * sums[1]),
    }
    found = {name: _fit(curve, n, *_reach(name, n, sums)) for name, curve in curves.items()}
    if squares is not None:
        found["measured"] = _measured(at, n, np.asarray(rates), squares)
    return found


def _cumulative(rates: np.ndarray, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums of rates, and of their squares, before each step."""
    if len(rates) < last:
        raise ValueError(f"{len(rates)} rates do not reach step {last}")
    if not (np.isfinite(rates) & (rates >= 0)).all():
        raise ValueError("every rate must be 0 or more, and finite")
    used = np.asarray(rates, dtype=np.float64)
    first, second = (np.concatenate([[0.0], x.cumsum()]) for x in (used, used**2))
    return first, second


def _reach(name: str, n: np.ndarray, sums: list[np.ndarray]) -> tuple[float]:
    """The kappa^2 at which the model ends at four times the largest norm: the best is below."""
    growth = np.log(4 * n.max() / n[0])
    end = sums[0][-1] if name == "aligned" else sums[1][-1]
    if end == 0:
        return (0.0,)
    if name == "constant":
        return ((16 * n.max() ** 2 - n[0] ** 2) / end,)
    return ((growth / end) ** 2 if name == "aligned" else 2 * growth / end,)


def _fit(curve: Curve, n: np.ndarray, most: float) -> ModelFit:
    if most == 0:
        fitted = curve(0.0)
        return ModelFit(np.nan, r_squared(n, fitted), np.nan, r_squared(np.log(n), np.log(fitted)))
    plain = _best(lambda c: float(np.square(curve(c) - n).sum()), most)
    log = _best(lambda c: float(np.square(np.log(curve(c) / n)).sum()), most)
    return ModelFit(
        float(np.sqrt(plain)),
        r_squared(n, curve(plain)),
        float(np.sqrt(log)),
        r_squared(np.log(n), np.log(curve(log))),
    )


def _best(loss: Callable[[float], float], most: float) -> float:
    """Where a loss on [0, most] is least."""
    found = least(loss, most * np.linspace(0, 1, 65) ** 2)
    return 0.0 if loss(0.0) <= loss(found) else found


def _measured(at: np.ndarray, n: np.ndarray, rates: np.ndarray, squares: np.ndarray) -> ModelFit:
    if len(squares) != len(n) or not (np.diff(squares) >= 0).all():
        raise ValueError("sums of squares must be as many as norms, and never fall")
    fitted = np.sqrt(n[0] ** 2 + (squares - squares[0]))
    steps = np.arange(at[0], at[-1])
    expected = float(np.square(rates[steps] * np.interp(steps, at, n)).sum())
    kappa = float(np.sqrt((squares[-1] - squares[0]) / expected)) if expected > 0 else np.nan
    return ModelFit(kappa, r_squared(n, fitted), kappa, r_squared(np.log(n), np.log(fitted)))


def equilibrium_norm(lr: float, weight_decay: float, update: float) -> float:
    r"""Norm at which decoupled decay takes what steps at right angles to theta add.

    Of :math:`\theta \leftarrow (1 - \eta\lambda)\theta - \eta u` with :math:`u \perp \theta`, the
    fixed point :math:`\lVert\theta\rVert^2 = \eta \lVert u\rVert^2 / (\lambda (2 - \eta\lambda))`.

    Args:
        lr: eta, positive.
        weight_decay: lambda, 0 or more, with eta lambda below 2.
        update: Norm of u, before the learning rate: of Adam root(n) rho, n the number of weights
            and rho the root mean square of u.

    Returns:
        The norm; infinite without decay.

    Raises:
        ValueError: If a value is out of its range.

    Reference:
        To first order in eta lambda :math:`\eta n \rho^2 / (2 \lambda)`, which follows from section
        3.2 of Merrill et al. 2021; not in the paper. Updates of Adam are not independent of theta:
        momentum makes one like the last, so a trained norm settles higher. Log key
        ``norm/misaligned_share`` says how far that goes.
    """
    _check_decay(lr, weight_decay)
    if weight_decay == 0:
        return np.inf
    return float(np.sqrt(lr * update**2 / (weight_decay * (2 - lr * weight_decay))))


def scale_invariant_equilibrium(lr: float, weight_decay: float, gradient: float) -> float:
    r"""The same for SGD with an L2 term on weights whose scale the loss does not see.

    Their gradient is at right angles to theta and falls as :math:`\lVert g\rVert = \tilde g /
    \lVert\theta\rVert`, so that :math:`\lVert\theta\rVert^4 = \eta \tilde g^2 / (\lambda (2 -
    \eta\lambda))`.

    Args:
        lr: eta, positive.
        weight_decay: lambda, 0 or more, with eta lambda below 2.
        gradient: Norm of the gradient at ``norm(theta) = 1``.

    Returns:
        The norm; infinite without decay.

    Raises:
        ValueError: If a value is out of its range.
    """
    return float(np.sqrt(equilibrium_norm(lr, weight_decay, gradient)))


def _check_decay(lr: float, weight_decay: float) -> None:
    if not (lr > 0 and weight_decay >= 0 and lr * weight_decay < 2):
        raise ValueError(f"lr={lr:g}, weight_decay={weight_decay:g}: need lr > 0, 0 <= product < 2")


def decay_threshold(
    steps: Real[np.ndarray, " reading"],
    norms: Float64[np.ndarray, " reading"],
    rates: Float64[np.ndarray, " update"],
) -> float:
    r"""Decoupled decay with which a run without decay would have ended at the norm it began with.

    :math:`\lambda^* = (n_T^2 - n_0^2) / (2 \sum_t \eta_t n_t^2)`, to first order in the rates and
    as if decay changed nothing else. Below it the norm grows, above it shrinks.

    Args:
        steps: Steps of the readings, whole numbers, ascending.
        norms: Norm at each, of a run without decay; interpolated in between.
        rates: Learning rate of every update up to the last reading at least.

    Returns:
        The threshold; negative where the norm shrank without decay.

    Raises:
        ValueError: As :func:`compare_dynamics`, and if every rate is 0.

    Reference:
        From the identity of the step that Merrill et al. 2021 use in section 3.2. In their equation
        3 the decay is not multiplied by the learning rate: theirs is eta times this one.
    """
    check_series(steps, norms)
    at = np.asarray(steps, dtype=np.int64)
    _cumulative(rates, int(at[-1]))
    between = np.arange(at[0], at[-1])
    taken = float((rates[between] * np.interp(between, at, norms) ** 2).sum())
    if taken == 0:
        raise ValueError("without a rate above 0 there is no threshold")
    return (float(norms[-1]) ** 2 - float(norms[0]) ** 2) / (2 * taken)
