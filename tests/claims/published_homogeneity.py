"""Readings of the checks of homogeneity, attention and random networks: their claims hold."""

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
    "NG-A5": {
        "error": {
            "sublayer_ln/1/456": 0.50,
            "sublayer_ln/16/456": 1e-12,
            "sublayer_ln/64/456": 6e-16,
            "sublayer_ln, biases/16/456": 0.05,
            "pre_ln/16/456": 0.1,
            "post_ln/16/456": 0.25,
        }
    },
    "NG-A6": {
        "stream": {"3/64/456/13": 13.0},
        "logits": {"1/64/456/6": 6.0, "3/256/456/14": 14.0},
        "addition": {"456": 6.0002},
    },
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
    "NG-A9": {
        "before": {"soft/no_ln/456": 0.0, "limit/post_ln/456": 0.0, "hard/pre_ln/456": 0.0},
        "at": {"soft/no_ln/456": 0.3},
        "leak": {"soft/no_ln/456": 0.0, "limit/post_ln/456": 0.0},
    },
    # Cosines are those of the specification for this size, B2 those of the paper's figure.
    "NG-B1": {
        "cosine": {
            "sublayer_ln/2/456": 0.965,
            "sublayer_ln/4/456": 0.998,
            "pre_ln/2/456": 0.55,
            "pre_ln/8/456": 0.96,
            "post_ln/2/456": 0.31,
            "post_ln/8/456": 0.91,
        },
        "rise": {"pre_ln/456": 0.002},
        "lead": {"1/456": 0.74, "5/789": 0.1},
    },
    "NG-B2": {
        "released": {
            "sublayer_ln/1/456": 0.727,
            "sublayer_ln/10/456": 0.964,
            "post_ln/1/456": 0.081,
            "post_ln/10/456": 0.971,
        },
        "right": {  # ours: the paper has none
            "sublayer_ln/1/456": 0.83,
            "sublayer_ln/10/456": 0.98,
            "post_ln/1/456": 0.08,
            "post_ln/10/456": 0.98,
        },
    },
    "NG-B3": {"lead": {f"{seed}": 0.01 for seed in range(5)}},
    "NG-B4": {
        "saturation": {
            "sublayer_ln/456": 0.83,
            "sublayer_ln, biases/456": 0.81,
            "pre_ln/456": 0.13,
            "post_ln, biases/456": 0.07,
            "no_ln/456": 0.08,
        }
    },
    "NG-B5": {
        "saturation": {
            f"{name}{biases}/456": 0.99
            for name in ("sublayer_ln", "pre_ln", "post_ln", "no_ln")
            for biases in ("", ", biases")
        }
    },
}
"""Readings with which each claim of tier U holds."""
