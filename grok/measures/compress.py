"""How few dimensions the features use."""

import torch

from grok.measures.snapshot import Readings, Snapshot
from grok.metrics.spectra import (
    effective_rank,
    gram_eigenvalues,
    numerical_rank,
    power_law_fit,
    published_stable_rank,
    rank_slope,
    singular_values,
    stable_rank,
)

FLOAT32_EPS = torch.finfo(torch.float32).eps
"""The published rank was computed in float32; d_model of these is its tolerance."""


def compressibility(snapshot: Snapshot) -> Readings:
    """Ranks and tail exponent of the pre-logits of each split, and rank of attention's output.

    Singh et al. 2026 say training pairs and plot the test pairs; both are read. Attention's
    output is what it adds to the stream at the last position, after the norm of ``peri``.
    """
    readings = {}
    if snapshot.has("attn_out"):
        readings |= {
            f"compress/attn_effective_rank/{layer}/{split}": effective_rank(gram_eigenvalues(H))
            for split, layers in snapshot.attn_out.items()
            for layer, H in enumerate(layers)
        }
    for split, H in snapshot.pre_logits.items():
        # Not from the Gram matrix: squaring would drown the small values, which make the tail.
        spectrum = singular_values(H)
        eigenvalues = spectrum.square()
        fit = power_law_fit(eigenvalues)
        values = {
            "effective_rank": effective_rank(eigenvalues),
            "stable_rank": stable_rank(eigenvalues),
            "published_stable_rank": published_stable_rank(eigenvalues),
            "rank": numerical_rank(spectrum, rtol=(H.shape[-1] * FLOAT32_EPS) ** 0.5),
            "alpha": fit.alpha,
            "alpha_x_min": fit.x_min,
            "alpha_n_tail": fit.n_tail,
            "alpha_ks": fit.ks,
            "rank_slope": rank_slope(eigenvalues),
        }
        readings |= {f"compress/{name}/{split}": value for name, value in values.items()}
    return readings
