"""Numbers that Liu et al. 2022 and a replication of it published, as the figures show them.

Phase diagrams are in :mod:`grok.claims.effective_theory.published`, the curves of figure 4c in
:mod:`grok.claims.checks.effective_theory`.
"""

from typing import NamedTuple

import numpy as np

from grok.claims.effective_theory.published import published_table


class SizeRun(NamedTuple):
    """A run of the authors' training script, again: rates 1e-3 and 1e-4."""

    n: int
    """Training pairs of 55."""
    seed: int
    """Of everything."""
    eigenvalue: float
    """Third eigenvalue of A^T A of the training set, recomputed from the seed."""
    ideal: int
    """Ideally right pairs, recomputed from the seed."""
    predicted: int
    """Pairs that the parallelograms predict after 5,000 steps, recomputed."""
    right: int
    """Right pairs after 5,000 steps, as stored."""
    step: int | None
    """First step of RQI > 0.95 within 10,000, as stored; None where there is none."""


SIZE_RUNS = (
    SizeRun(5, 0, 0.00, 5, 5, 7, None),
    SizeRun(5, 1, 0.00, 5, 5, 6, None),
    SizeRun(5, 2, 0.00, 5, 6, 8, None),
    SizeRun(10, 0, 0.00, 10, 11, 12, None),
    SizeRun(10, 1, 0.00, 10, 14, 15, None),
    SizeRun(10, 2, 0.00, 10, 12, 14, None),
    SizeRun(15, 0, 0.00, 18, 15, 15, None),
    SizeRun(15, 1, 0.00, 17, 15, 17, None),
    SizeRun(15, 2, 0.00, 16, 21, 24, None),
    SizeRun(20, 0, 0.00, 24, 25, 25, None),
    SizeRun(20, 1, 0.00, 30, 20, 20, None),
    SizeRun(20, 2, 0.00, 32, 25, 32, None),
    SizeRun(25, 0, 0.28, 46, 26, 27, None),
    SizeRun(25, 1, 0.00, 40, 30, 29, None),
    SizeRun(25, 2, 1.47, 50, 50, 50, 2553),
    SizeRun(30, 0, 1.31, 50, 39, 39, None),
    SizeRun(30, 1, 0.87, 53, 31, 31, None),
    SizeRun(30, 2, 3.09, 51, 51, 51, 739),
    SizeRun(35, 0, 6.84, 50, 42, 42, None),
    SizeRun(35, 1, 1.31, 55, 41, 41, None),
    SizeRun(35, 2, 3.69, 54, 54, 54, 1171),
    SizeRun(40, 0, 10.86, 50, 50, 50, 867),
    SizeRun(40, 1, 3.53, 55, 42, 43, None),
    SizeRun(40, 2, 5.63, 55, 55, 55, 943),
    SizeRun(45, 0, 15.55, 50, 50, 50, 833),
    SizeRun(45, 1, 10.05, 55, 55, 55, 1071),
    SizeRun(45, 2, 13.30, 55, 55, 55, 887),
    SizeRun(50, 0, 19.48, 54, 54, 53, 1011),
    SizeRun(50, 1, 23.20, 55, 55, 53, 1272),
    SizeRun(50, 2, 16.56, 55, 55, 54, 977),
    SizeRun(54, 0, 28.64, 55, 55, 51, 1033),
    SizeRun(54, 1, 27.05, 55, 55, 53, 1086),
    SizeRun(54, 2, 28.49, 55, 55, 54, 850),
)
"""Figures 3, 4b, 5b and 10: github.com/ejmichaud/grokking-squared, toy/results/fig3 and fig4. The
published panel 4b has another, faster pair of rates, which is not recorded."""

N_DETERMINED = {
    **{14: 1, 15: 7, 16: 51, 17: 144, 18: 373, 19: 860, 20: 1754, 21: 2863, 22: 4270, 23: 5795},
    **{24: 7085, 25: 8027, 26: 8666, 27: 9187, 28: 9488, 29: 9654, 30: 9814, 32: 9919},
    **{35: 9983, 40: 10_000},
}
"""Figure 4a: of :data:`N_DRAWS` training sets of a size those with nullity 2, by size, p = 10. The
same repository, effective_linear_eq.ipynb."""
N_DRAWS = 10_000
"""Sets of each size in :data:`N_DETERMINED`."""

CRITICAL = 0.41
"""Figure 4a: training fraction at which the probability is 1/2."""
END_OF_FLOW = 1667
"""Figure 4c: the panel's mark of three times 1/(lambda_3 eta), read off the plot."""

PLANE_ACCURACY = {"plane_addition_memorized": 0.056, "plane_modular_memorized": 0.077}
"""Figure 2: test accuracy of the memorized embeddings, by experiment."""

_THEIR_RATE = 4.6e-4


def replicated_steps(decay: float) -> tuple[int, int] | None:
    """Figure 8a: steps of training and test accuracy 60 % in the replication.

    Shabalin et al. 2022, whose last layer has rate 4.6e-4 where the paper has 1e-3.

    Returns:
        None where the replication has no such decay.
    """
    table = published_table("mnist")
    rows = np.flatnonzero(table.rows == decay)
    if not rows.size:
        return None
    at = int(rows[0]), int(np.abs(table.columns - _THEIR_RATE).argmin())
    return int(table.T_tr[at]), int(table.T_va[at])
