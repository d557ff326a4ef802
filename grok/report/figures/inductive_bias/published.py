"""Published values that are drawn in, all of seeds' means unless said otherwise.

They are of the authors' exported curves (Singh et al. 2026, first commit of the released code).
What was read off a plot is named so.
"""

TIMES = {"No LN": 7807, "A*": 7157, "M+A*": 3525, "M": 1425, "A^v": 1891}
"""First step at which the mean test loss is at most 0.01 (figures 1, 2a, 3b); A^qk never."""
TRAIN_TIMES = {"No LN": 317, "A*": 148, "M+A*": 214, "M": 231}
"""The same of the train loss (figure 1)."""
ACCURACY_TIMES = {"No LN": 7764, "A*": 7127, "M+A*": 3298, "M": 955}
"""First step at which the mean test accuracy is at least 0.995 (figures 2b, 2c, 6c)."""
FOURIER_TIMES = {"No LN": 6200, "A*": 5400, "M+A*": 2600, "M": 1800}
"""First reading at which the mean C_Fourier is at least 1 (figure 2c)."""
RANK_TIMES = {"No LN": 8600, "A*": 8000, "M+A*": 5200, "M": 4400}
"""First reading within a tenth of the smallest mean effective rank (figure 6c)."""
ALPHA_TIMES = {"No LN": 8200, "A*": 6800, "M+A*": 2400, "M": 1000}
"""The same of the exponent of the spectrum (figure 6c)."""

RATE_TIMES = {"1.0e-3": 7807, "3.0e-3": 7740, "5.0e-3": 6582, "1.0e-2": 4470}
"""Test loss 0.01 by learning rate (figure 4a)."""
DECAY_TIMES = {"0.75": 9787, "1.0": 7807, "1.5": 6395}
"""Test loss 0.01 by weight decay (figure 4c); never at 0.1, 0.2 and 0.5."""
INVERSE_TIMES = {"0.5": 2021, "0.75": 5531, "1.0": 7807}
"""Test loss 0.01 by readout scale at eta_0/alpha^2 (figure 5a); never at 1.25 and 1.5."""
CONSTANT_TIMES = {"1.0": 7807, "1.25": 8221, "1.5": 8309}
"""Test loss 0.01 by readout scale at eta_0 (figure 5c); never at 0.5 and 0.75."""

RMS_TIMES = {"No LN": 7220, "A*": 5700, "M+A*": 2250, "M": 600}
"""Test loss 1 with RMSNorm (figure 7), read off the plot."""
DEPTH_TIMES = {"No LN": 6500, "A*": 4200, "M+A*": 1550, "M": 900}
"""Test loss 1 at depth 3 (figure 8), read off the plot of smoothed curves."""


def _at(steps: tuple[int, ...], **rows: tuple[float, ...]) -> dict[str, dict[int, float]]:
    return {name: dict(zip(steps, row, strict=True)) for name, row in rows.items()}


FOURIER = _at(
    (200, 1000, 2000, 4000, 10_000),
    **{
        "No LN": (0.090, 0.186, 0.278, 0.459, 3.35),
        "A*": (0.036, 0.088, 0.147, 0.612, 0.451),
        "M+A*": (0.025, 0.056, 0.280, 2.53, 2.27),
        "M": (0.060, 0.367, 1.29, 2.24, 1.65),
    },
)
"""C_Fourier (figure 2b)."""

SHORTCUT = _at(
    (200, 1000, 2000, 4000, 8000, 10_000),
    **{
        "No LN": (3.36, 3.97, 5.49, 6.10, 3.69, 3.28),
        "M": (4.27, 3.93, 3.35, 2.80, 2.58, 2.68),
        "A^v": (4.48, 4.44, 4.70, 5.09, 5.46, 5.04),
    },
)
"""SR-train (figure 3a, which shows the minimum over seeds)."""

ENTROPY = _at(
    (200, 400, 1000, 2000, 4000, 6000, 8000, 10_000),
    **{
        "No LN": (0.553, 0.677, 0.768, 0.864, 0.919, 0.950, 0.965, 0.964),
        "A^qk": (0.589, 0.576, 0.603, 0.621, 0.630, 0.654, 0.707, 0.770),
        "A^v": (0.961, 0.961, 0.962, 0.969, 0.970, 0.968, 0.966, 0.965),
        "M": (1.085, 1.085, 1.098, 1.0986, 1.0986, 1.0986, 1.0986, 1.0986),
    },
)
"""Entropy of attention, nats (figure 3c)."""

RATE_UPDATES = _at(
    (1, 2000),
    **{
        "1.0e-3": (0.467, 0.0133),
        "3.0e-3": (1.397, 0.0138),
        "5.0e-3": (2.327, 0.0145),
        "1.0e-2": (4.654, 0.0171),
    },
)
"""Norm of the update by learning rate (figure 4b)."""

DECAY_UPDATES = {"0.1": {1000: 0.006}, "1.5": {1000: 0.035}}
"""Norm of the update by weight decay (figure 4d), read off the plot."""

INVERSE_UPDATES = {"0.5": {1: 1.845}, "1.0": {1: 0.467}, "1.5": {1: 0.209}}
"""Norm of the first update at eta_0/alpha^2 (figure 5b)."""
CONSTANT_UPDATES = {"1.0": {1: 0.467}}
"""Norm of the first update at eta_0 (figure 5d); 0.461 to 0.469 over the five scales."""

CONSTANT_LOSS = _at(
    (2000, 4000, 5000, 6000),
    **{
        "0.5": (27.8, 23.1, 21.0, 18.8),
        "0.75": (26.0, 20.6, 18.1, 14.7),
        "1.0": (24.9, 18.2, 12.7, 6.6),
        "1.25": (23.8, 14.7, 7.2, 3.1),
        "1.5": (23.5, 12.0, 5.3, 2.7),
    },
)
"""Test loss by readout scale at eta_0 (figure 5c)."""

EFFECTIVE_RANK = _at(
    (200, 1000, 2000, 4000, 10_000),
    **{
        "No LN": (30.0, 35.6, 35.8, 31.3, 8.3),
        "A*": (54.0, 56.9, 55.8, 42.7, 12.8),
        "M+A*": (55.6, 44.7, 29.8, 8.1, 8.4),
        "M": (57.7, 20.7, 14.7, 9.7, 9.7),
    },
)
"""Effective rank of test pre-logits (figure 6a)."""

ALPHA = _at(
    (200, 1000, 4000, 10_000),
    **{
        "No LN": (2.63, 2.46, 1.98, 1.32),
        "A*": (3.10, 4.23, 1.31, 1.30),
        "M+A*": (3.85, 2.70, 1.27, 1.27),
        "M": (2.91, 1.26, 1.27, 1.26),
    },
)
"""Exponent of the spectrum of test pre-logits (figure 6b), the minimum over seeds."""

_DECAYS = ("0.1", "0.2", "0.5", "0.75", "1.0", "1.5")


def _last(*values: float) -> dict[str, dict[int, float]]:
    return {name: {10_000: value} for name, value in zip(_DECAYS, values, strict=True)}


DECAY_EFFECTIVE_RANK = _last(42.1, 40.7, 31.2, 7.3, 8.3, 7.0)
"""Effective rank at 10,000 by weight decay (figure 9)."""
DECAY_RANK = _last(128.0, 128.0, 116.8, 58.2, 32.2, 25.4)
"""Numerical rank at 10,000 by weight decay (figure 9)."""
DECAY_ALPHA = _last(2.94, 3.03, 2.60, 1.45, 1.71, 1.41)
"""Exponent of the spectrum at 10,000 by weight decay (figure 9)."""
