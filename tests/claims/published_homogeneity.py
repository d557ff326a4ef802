"""Readings of the checks of homogeneity and constructed attention with which their claims hold."""

from collections.abc import Mapping, Sequence
from typing import Any

PUBLISHED: Mapping[str, Any] = {}
"""No claim here needs runs."""

BROKEN: Mapping[str, Sequence[Any]] = {}

UNIT: dict[str, dict[str, dict[str, float]]] = {
    "NG-A2": {"error": {"456/3": 1e-15}, "degree": {"456/3": 3.0, "789/5": 5.0 + 1e-14}},
    "NG-A3": {"difference": {"456/3": 1e-15}},
    "NG-A4": {
        "exact": {"linear of 1/2": 2.0, "layer norm of 3/0": 1e-16},
        "limit": {"softmax of 1/0": 0.0, "GELU of 2/2": 2.0},
        "block": {"scores/4": 4.0, "weights/0": 0.0},
    },
    "NG-A6b": {"degree": {"456": 6.0002}},
    "NG-A7": {"difference": {"456/1": 1e-16}, "rate": {"456/1": 1.003}},
    "NG-A8": {
        "n": {
            "mean head": 42.0,
            "one-hot": 1.0,
            "ties of three": 3.0,
            "mask that multiplies": 41.012048,
        },
        "split": {"mean head": 82 / 83, "one-hot": 0.0, "mask that multiplies": 81 / 83},
        "frac": {"mean head": 1.0},
        "leak": {"mask that multiplies": 82 / 83, "mask of -inf": 0.0},
    },
}
"""Readings with which each claim of tier U holds."""
