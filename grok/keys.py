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
        "loss/<split>", "task", "mean loss of the split, as trained, in float64", "", "<split>/loss"
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
        "L2 norm of all parameters that exist",
        "Merrill et al. 2021, 3",
        "grads/weight_norm",
    ),
    Key("norm/theta/<parameter>", "norm", "L2 norm of one tensor", "Merrill et al. 2021, 3"),
    Key("norm/squared", "norm", "sum of squares of all parameters", "Nanda et al. 2023, 5.1"),
    Key(
        "norm/grad/all",
        "norm",
        "L2 norm of the gradient of the whole training loss",
        "Singh et al. 2026, 3",
        "grads/grad_norm",
    ),
    Key("norm/grad/<parameter>", "norm", "the same for one tensor", ""),
    Key(
        "norm/delta/all",
        "norm",
        "L2 norm of the last update, weight decay included",
        "Singh et al. 2026, 3",
        "grads/update_norm",
    ),
    Key("norm/delta/<parameter>", "norm", "the same for one tensor", ""),
    Key(
        "attn/entropy/<layer>",
        "attention",
        "entropy of the pattern averaged over heads first, then over pairs and query rows, nats",
        "Singh et al. 2026, fig. 3c",
    ),
    Key(
        "attn/entropy/<layer>/<head>",
        "attention",
        "entropy of one head, averaged over pairs and query rows, nats",
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
        "total variation from the pattern to its saturated one, all rows and heads; 0 = saturated",
        "Merrill et al. 2021, 4",
    ),
    Key("sat/attn_tv/<layer>/<head>", "attention", "the same for one head", ""),
    Key("sat/attn_tv_last/<layer>", "attention", "the same on the `=` row, all heads", ""),
    Key("sat/attn_tv_last/<layer>/<head>", "attention", "the same on the `=` row, one head", ""),
    Key(
        "fourier/c",
        "fourier",
        "C_Fourier: variance of amplitude between frequencies over that within",
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
        "share of the non-constant power in the k strongest frequencies",
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
        "exp of the entropy of the Gram spectrum of the pre-logits, 1 to d_model",
        "Singh et al. 2026, fig. 6a",
        "alpha_req/effective_rank_<split>",
    ),
    Key("compress/stable_rank/<split>", "compress", "squared Frobenius over spectral norm", ""),
    Key(
        "compress/published_stable_rank/<split>",
        "compress",
        "first powers, on the Gram matrix: what the released code computes",
        "Singh et al. 2026",
        "alpha_req/stable_rank_<split>",
    ),
    Key(
        "compress/rank/<split>",
        "compress",
        "singular values above the published relative tolerance, in float64",
        "Singh et al. 2026, fig. 6",
        "alpha_req/rank_<split>",
    ),
    Key(
        "compress/alpha/<split>",
        "compress",
        "exponent of a power law fitted to the tail of the Gram spectrum",
        "Singh et al. 2026, fig. 6b",
        "alpha_req/alpha_<split>",
    ),
    Key("compress/alpha_x_min/<split>", "compress", "where that tail begins", ""),
    Key("compress/alpha_n_tail/<split>", "compress", "eigenvalues in that tail", ""),
    Key("compress/alpha_ks/<split>", "compress", "Kolmogorov-Smirnov distance of the fit", ""),
    Key(
        "compress/rank_slope/<split>",
        "compress",
        "log-log slope of the sorted spectrum, an alternative exponent",
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
