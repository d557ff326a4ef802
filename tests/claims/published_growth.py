"""Readings with which the claims of Merrill et al. 2021 on growth of the norm hold."""

from typing import Any

from tests.claims.store import Readings

OPTIMISERS = [f"{dtype}/{name}" for dtype in ("float32", "float64") for name in ("adamw", "sgd")]

PUBLISHED: dict[str, Readings] = {}
BROKEN: dict[str, Any] = {}
"""No run is needed."""

UNIT: dict[str, dict[str, dict[str, float]]] = {
    "NG-A1": {
        "residual": dict.fromkeys(OPTIMISERS, 1e-15),
        "updates": dict.fromkeys(OPTIMISERS, 200.0),
    },
    # The published points: R² of the root, of the line, and the log-log slope.
    "NG-A10": {
        "sqrt": {"encoder+decoder": 0.9976, "encoder": 0.9978},
        "linear": {"encoder+decoder": 0.9615, "encoder": 0.956},
        "log_slope": {"encoder+decoder": 0.440, "encoder": 0.422},
        "exact_r2": {"": 1.0},
        "exact_p": {"": 0.5},
    },
    "NG-A11": {
        "misaligned": {"encoder+decoder": 0.9976, "encoder": 0.9951},
        "aligned": {"encoder+decoder": 0.837, "encoder": 0.858},
        "kappa_squared": {"encoder+decoder": 0.87, "encoder": 0.79},
    },
    "NG-A13": {
        "share": {"": 1.0},
        "walk_alignment": {"20": 0.003, "40": -0.003},
        "exponent": {"": 1.0},
        "ray_alignment": {"": 1.0},
        "ray_direction": {"": 1.0},
        "ray_share": {"": 0.005},
    },
}
"""Readings with which each claim of tier U holds."""
