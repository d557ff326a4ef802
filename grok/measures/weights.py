"""How few dimensions the weight matrices use."""

import torch
from jaxtyping import Float
from torch import Tensor

from grok.measures.compress import FLOAT32_EPS
from grok.measures.snapshot import Readings, Snapshot
from grok.metrics.spectra import (
    effective_rank,
    numerical_rank,
    power_law_fit,
    singular_values,
    stable_rank,
)

EXCLUDED = ("W_E", "W_pos", "W_U")
"""Tables that no stream is multiplied by inside a block."""


def weight_spectra(snapshot: Snapshot) -> Readings:
    """Ranks and tail exponent of each weight matrix of the blocks, and their means over matrices.

    Tail exponent and effective rank are of the eigenvalues of W^T W; stable rank and numerical
    rank of W itself, as in the released code of Singh et al. 2026. That code leaves out W_Q, W_K
    and W_V of every layer but the first; here they are included. In a module that is not ours
    every parameter with two axes is a matrix, tables of embeddings too.
    """
    matrices = {n: W for n, W in snapshot.params.items() if W.ndim == 3 and n not in EXCLUDED}
    by_matrix = {name: _spectrum(W) for name, W in matrices.items()}
    readings: Readings = {}
    for what in next(iter(by_matrix.values()), {}):
        each = {name: values[what] for name, values in by_matrix.items()}
        readings |= {f"compress/weight_{what}/{name}": value for name, value in each.items()}
        readings[f"compress/weight_{what}"] = torch.stack(list(each.values())).mean(dim=0)
    return readings


def _spectrum(W: Float[Tensor, "run d_out d_in"]) -> Readings:
    spectrum = singular_values(W)
    eigenvalues = spectrum.square()
    return {
        "alpha": power_law_fit(eigenvalues).alpha,
        "published_stable_rank": stable_rank(eigenvalues).sqrt(),
        "effective_rank": effective_rank(eigenvalues),
        "rank": numerical_rank(spectrum, rtol=max(W.shape[1:]) * FLOAT32_EPS),
    }
