"""Every log key: what it means, where it is from, what the papers' codes call it.

Imports nothing, so that ``grok list`` answers at once. A pattern's ``<field>`` stands for a
parameter, split, layer, head or frequency; the first part of a key is not its measure family,
since one family may write several kinds of keys.
"""

import re
from typing import NamedTuple


class Key(NamedTuple):
    """One row of the table of keys."""

    pattern: str
    family: str
    meaning: str
    source: str
    alias: str = ""
    is_vector: bool = False
    """Part of a spectrum: stored like everything else, but not drawn as a curve of its own."""


FAMILY_MEANINGS = {
    "task": "loss and accuracy on the two splits",
    "norm": "NormGrowth: size of parameters, gradient and update",
    "attention": "AttentionSaturation: how decided the attention pattern is",
    "fourier": "FourierComponents: the embedding in the Fourier basis of Z_p",
    "compress": "Compressibility: how few dimensions the pre-logits use",
}

KEYS: tuple[Key, ...] = (
    Key(
        "loss/<split>",
        "task",
        "mean loss of the split, the one trained on (cross-entropy or MSE), in float64, without penalties",
        "",
        "<split>/loss",
    ),
    Key(
        "acc/<split>",
        "task",
        "share of pairs whose largest logit is right",
        "",
        "<split>/accuracy",
    ),
    Key(
        "norm/theta/all",
        "norm",
        "‖θ‖₂ of all parameters that exist",
        "Merrill et al. 2021, 3",
        "grads/weight_norm",
    ),
    Key("norm/theta/<parameter>", "norm", "‖θ‖₂ of one tensor", "Merrill et al. 2021, 3"),
    Key("norm/squared", "norm", "Σ θ² of all parameters", "Nanda et al. 2023, 5.1"),
    Key(
        "norm/grad/all",
        "norm",
        "‖∇L‖₂ of the whole training loss (and l1 penalty) at these parameters",
        "Singh et al. 2026, 3",
        "grads/grad_norm",
    ),
    Key("norm/grad/<parameter>", "norm", "the same for one tensor", ""),
    Key(
        "norm/delta/all",
        "norm",
        "‖θ_t − θ_{t−1}‖₂, weight decay included",
        "Singh et al. 2026, 3",
        "grads/update_norm",
    ),
    Key("norm/delta/<parameter>", "norm", "the same for one tensor", ""),
    Key(
        "attn/entropy/<layer>",
        "attention",
        "−Σ_key A ln A of the pattern A averaged over heads, mean over pairs and query rows, nats",
        "Singh et al. 2026, fig. 3c",
    ),
    Key(
        "attn/entropy/<layer>/<head>",
        "attention",
        "−Σ_key A ln A of one head, mean over pairs and query rows, nats",
        "Merrill et al. 2021, 4",
    ),
    Key(
        "attn/entropy_last/<layer>",
        "attention",
        "entropy of the `=` row, averaged over pairs and heads, nats",
        "",
    ),
    Key(
        "attn/entropy_last/<layer>/<head>",
        "attention",
        "entropy of the `=` row of one head, nats",
        "",
    ),
    Key(
        "sat/attn_tv/<layer>",
        "attention",
        "½ Σ_key |A − A*|, A* uniform over the largest scores; mean over pairs, rows and heads; 0 = saturated",
        "Merrill et al. 2021, 4",
    ),
    Key("sat/attn_tv/<layer>/<head>", "attention", "the same for one head", ""),
    Key("sat/attn_tv_last/<layer>", "attention", "the same on the `=` row, all heads", ""),
    Key("sat/attn_tv_last/<layer>/<head>", "attention", "the same on the `=` row, one head", ""),
    Key(
        "fourier/c",
        "fourier",
        "C_Fourier: variance over frequencies of the mean amplitude / variance of amplitudes within them",
        "Singh et al. 2026, fig. 2c",
        "fourier/col_energy",
    ),
    Key(
        "fourier/f_statistic",
        "fourier",
        "the same without the constant, corrected for degrees of freedom; 1 = no structure",
        "",
    ),
    Key(
        "fourier/top_share/<k>",
        "fourier",
        "share of the power of frequencies above 0 in the k strongest",
        "",
    ),
    Key(
        "fourier/power/<frequency>",
        "fourier",
        "squared norm of the embedding in one frequency; they add up to its squared norm",
        "Nanda et al. 2023, 4.1",
        is_vector=True,
    ),
    Key(
        "compress/effective_rank/<split>",
        "compress",
        "exp(−Σ q ln q), q = λ/Σλ, λ the eigenvalues of HᵀH of the pre-logits H; 1 to d_model",
        "Singh et al. 2026, fig. 6a",
        "alpha_req/effective_rank_<split>",
    ),
    Key("compress/stable_rank/<split>", "compress", "Σλ / λ_max = (‖H‖_F / ‖H‖₂)²", ""),
    Key(
        "compress/published_stable_rank/<split>",
        "compress",
        "√Σλ² / λ_max: first powers of HᵀH, what the released code computes",
        "Singh et al. 2026",
        "alpha_req/stable_rank_<split>",
    ),
    Key(
        "compress/rank/<split>",
        "compress",
        "number of λ above d_model · 2⁻²³ · λ_max (the published float32 tolerance), in float64",
        "Singh et al. 2026, fig. 6",
        "alpha_req/rank_<split>",
    ),
    Key(
        "compress/alpha/<split>",
        "compress",
        "exponent of p(λ) ∝ λ^−α for λ ≥ λ_min, maximum likelihood, λ_min by Kolmogorov-Smirnov distance",
        "Singh et al. 2026, fig. 6b",
        "alpha_req/alpha_<split>",
    ),
    Key("compress/alpha_x_min/<split>", "compress", "λ_min of that fit", ""),
    Key("compress/alpha_n_tail/<split>", "compress", "eigenvalues that it uses", ""),
    Key("compress/alpha_ks/<split>", "compress", "its Kolmogorov-Smirnov distance", ""),
    Key(
        "compress/rank_slope/<split>",
        "compress",
        "s of λ_i ∝ i^−s, least squares on the log-log spectrum; s = 1/(α − 1) for a pure power law",
        "Agrawal et al. 2022",
    ),
    Key("onset/<what>", "summary", "first reading at which it was reached; null = never", ""),
    Key("speed/steps_per_second", "summary", "updates per second, readings included", ""),
)


def find_key(key: str) -> Key | None:
    """Row of the table that a log key belongs to; None when it is in no row."""
    exact = [row for row in KEYS if row.pattern == key]
    return next(iter(exact + [row for row in KEYS if _regex(row.pattern).fullmatch(key)]), None)


def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"<[a-z_]+>", "[^/]+", pattern))
