"""Published norms of T5 (Merrill et al. 2021), as a text table with its source in the head.

Shapes: ``reading`` - checkpoints, ascending; ``update`` - updates, from 0.
"""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

N_STEPS = 2**19
"""Updates of T5's pre-training."""
WARMUP = 10_000
"""Updates with the first rate."""


class T5Norms(NamedTuple):
    """Norms of T5-base during its pre-training. Arrays are read-only."""

    steps: Int64[np.ndarray, " reading"]
    norms: dict[str, Float64[np.ndarray, " reading"]]
    """``encoder+decoder``, all but the shared embedding, and ``encoder``, the paper's set."""


@cache
def t5_norms() -> T5Norms:
    """The table; the same object at each call.

    Reference:
        Merrill et al., `Effects of Parameter Norm Growth During Transformer Training
        <https://arxiv.org/abs/2010.09697>`_, figure 1, read off its vector graphics.
    """
    text = (files(__name__) / "t5_base.txt").read_text(encoding="utf-8")
    rows = np.loadtxt(text.splitlines(), dtype=np.int64)
    rows.setflags(write=False)
    both, encoder = (column.astype(np.float64) for column in rows.T[1:])
    for norms in (both, encoder):
        norms.setflags(write=False)
    return T5Norms(rows[:, 0], {"encoder+decoder": both, "encoder": encoder})


def t5_rates() -> Float64[np.ndarray, " update"]:
    """Rate of every update of T5: 0.01 for 10,000 updates, then 1/sqrt(t).

    Reference:
        Raffel et al. 2020, section 3.1.2; Merrill et al. 2021, section 3.2.
    """
    return 1 / np.sqrt(np.maximum(np.arange(N_STEPS), WARMUP))
