"""Laws of growth of a parameter norm, fitted to a series of it.

Shapes: ``reading`` - steps at which the norm was read, ascending.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Real
from scipy.optimize import minimize_scalar

REGRESSORS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda t: t,
    "sqrt": np.sqrt,
    "fourth_root": lambda t: t**0.25,
    "log": np.log1p,
}
"""g of the affine laws a g(t) + b."""


class AffineLaw(NamedTuple):
    """Least-squares fit of a g(t) + b."""

    slope: float
    """a, in units of the norm per unit of g."""
    intercept: float
    """b, in units of the norm."""
    r2: float
    """1 - SSE/SST; at most 1, NaN for a constant series."""
    aic: float
    """n ln(SSE/n) + 2 k, k = 2 parameters; -inf for an exact fit."""


class PowerLaw(NamedTuple):
    """Least-squares fit of a t^p + b, 0 < p < 2."""

    p: float
    p_se: float
    """Standard error of p for residuals that are independent and alike. Those of a norm's series
    are not, so it is too small by a factor that the series does not tell."""
    slope: float
    intercept: float
    r2: float
    aic: float
    """With k = 3 parameters."""


class SquareLaw(NamedTuple):
    """Least-squares fit of norm^2 = n_0^2 + a (t - t_0), n_0 the first norm, read at t_0."""

    slope: float
    """a, in units of the squared norm per step."""
    r2: float
    """Of the norm, not its square; -inf to 1, since nothing but a is free."""
    aic: float
    """Of the norm, with k = 1 parameter."""


class GrowthLaw(NamedTuple):
    """All laws fitted to one series; no one of them tells which holds.

    On short series the affine laws are nearly collinear, and each of them fits well.
    """

    affine: Mapping[str, AffineLaw]
    """By name of :data:`REGRESSORS`."""
    power: PowerLaw
    log_slope: float
    """Pure exponent: slope of ln(norm) on ln(t) from ``t_min`` on; NaN with less than two steps."""
    square: SquareLaw


def fit_growth_law(
    steps: Real[np.ndarray, " reading"],
    norms: Float64[np.ndarray, " reading"],
    t_min: float | None = None,
) -> GrowthLaw:
    """Every law of growth, fitted to a norm by ordinary least squares.

    Args:
        steps: Steps of the readings, ascending, from 0 on. They count from the start of the run,
            whatever part of the series is given: the affine laws and the exponents are in t, only
            the law of the square is in t - t_0.
        norms: Norm at each, positive.
        t_min: First step of the pure exponent; default 2 % of the last. Step 0 never counts.

    Returns:
        The fits. Where the norm is constant, R^2 and exponents are NaN. The standard error of p is
        NaN with three readings, which fit exactly, and where p runs into 0 or 2: no power law then
        describes the series.

    Raises:
        ValueError: If there are less than three readings, the lengths differ, steps do not ascend
            from 0 or later, or a norm is not positive and finite.

    Reference:
        Merrill et al., `Effects of Parameter Norm Growth During Transformer Training
        <https://arxiv.org/abs/2010.09697>`_, section 3.1 and figure 1, which has R^2 of affine laws
        alone. Departures: the released code also regresses on exp(-t), which is 0 at every step
        but the first; log(1 + t), AIC, exponents and the law of the square are ours.
    """
    check_series(steps, norms)
    t, x = steps.astype(np.float64), norms.astype(np.float64)
    affine = {name: _affine(g(t), x) for name, g in REGRESSORS.items()}
    late = t >= max(1.0, 0.02 * t[-1] if t_min is None else t_min)
    log_slope = np.nan
    if late.sum() >= 2 and np.ptp(x) > 0:
        log_slope = _affine(np.log(t[late]), np.log(x[late])).slope
    return GrowthLaw(affine, _power(t, x), float(log_slope), _square(t, x))


def check_series(steps: np.ndarray, norms: np.ndarray) -> None:
    """Refuse a series to which no law can be fitted.

    Raises:
        ValueError: As :func:`fit_growth_law` says.
    """
    if len(steps) != len(norms):
        raise ValueError(f"{len(steps)} steps and {len(norms)} norms")
    if len(steps) < 3:
        raise ValueError(f"a law of growth needs three readings or more, not {len(steps)}")
    if steps[0] < 0 or not (np.diff(steps) > 0).all():
        raise ValueError("steps must ascend from 0 or later")
    if not (np.isfinite(norms) & (norms > 0)).all():
        raise ValueError("every norm must be positive and finite")


def r_squared(x: Float64[np.ndarray, " n"], fitted: Float64[np.ndarray, " n"]) -> float:
    """1 - SSE/SST: 1 for an exact fit, 0 for the mean, below for worse; NaN for constant x."""
    if np.ptp(x) == 0:
        return np.nan
    return 1 - float(np.square(x - fitted).sum() / np.square(x - x.mean()).sum())


def _aic(x: np.ndarray, fitted: np.ndarray, n_parameters: int) -> float:
    mean_square = float(np.square(x - fitted).mean())
    return len(x) * np.log(mean_square) + 2 * n_parameters if mean_square > 0 else -np.inf


def _line(g: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of x on g."""
    centred = g - g.mean()
    slope = float(centred @ (x - x.mean()) / (centred @ centred))
    return slope, float(x.mean() - slope * g.mean())


def _affine(g: np.ndarray, x: np.ndarray) -> AffineLaw:
    slope, intercept = _line(g, x)
    fitted = slope * g + intercept
    return AffineLaw(slope, intercept, r_squared(x, fitted), _aic(x, fitted, 2))


def _power(t: np.ndarray, x: np.ndarray) -> PowerLaw:
    """The best exponent, slope and intercept being those of the best line at each."""
    if np.ptp(x) == 0:
        return PowerLaw(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
    u = t / t[-1]

    def loss(p: float) -> float:
        slope, intercept = _line(u**p, x)
        return float(np.square(slope * u**p + intercept - x).sum())

    p = least(loss, np.concatenate([[1e-4], np.linspace(0.05, 2, 40)]))
    a, b = _line(u**p, x)
    fitted = a * u**p + b
    error = _exponent_error(u, a, p, x - fitted) if 1e-3 < p < 2 - 1e-3 else np.nan
    return PowerLaw(p, error, a / t[-1] ** p, b, r_squared(x, fitted), _aic(x, fitted, 3))


def least(loss: Callable[[float], float], grid: Float64[np.ndarray, " n"]) -> float:
    """Where a loss is least within an ascending grid: near the point of it that has the least."""
    best = int(np.argmin([loss(at) for at in grid]))
    around = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    options = {"xatol": 1e-12 * grid[-1]}
    found = minimize_scalar(loss, bounds=around, method="bounded", options=options)
    return float(found.x)  # pyright: ignore[reportAttributeAccessIssue]


def _exponent_error(u: np.ndarray, slope: float, p: float, residual: np.ndarray) -> float:
    """Standard error of p, by the fit's linearisation; NaN if nothing is left to tell it."""
    if len(u) <= 3:
        return np.nan
    log_u = np.log(u, out=np.zeros_like(u), where=u > 0)
    derivatives = np.stack([u**p, np.ones_like(u), slope * u**p * log_u], axis=1)
    variance = float(residual @ residual) / (len(u) - 3)
    return float(np.sqrt(variance * np.linalg.pinv(derivatives.T @ derivatives)[2, 2]))


def _square(t: np.ndarray, x: np.ndarray) -> SquareLaw:
    """The slope that fits the squares best, and how well it does for the norm."""
    after = t - t[0]
    slope = float(after @ (x**2 - x[0] ** 2) / (after @ after))
    fitted = np.sqrt(np.maximum(x[0] ** 2 + slope * after, 0))
    return SquareLaw(slope, r_squared(x, fitted), _aic(x, fitted, 1))
