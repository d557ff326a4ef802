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
    "compress": "Compressibility: how few dimensions pre-logits and attention's output use",
    "shortcut": "ScaleShortcut: loss with the scale of the MLP's input taken away",
    "weights": "WeightSpectra: how few dimensions the weight matrices use",
    "kernel": "KernelDrift: how far the tangent kernel has moved, and its fit to the labels",
    "hessian": "LossCurvature: top eigenvalues of the Hessian of the training loss",
    "progress": "ProgressMeasures: what the key frequencies do for the loss, and where they are",
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
        "share of pairs, or of scored tokens of sequences, whose largest logit is right",
        "",
        "<split>/accuracy",
    ),
    Key(
        "loss/digit/<i>/<split>",
        "task",
        "loss of answer digit i of digit_addition, 1 being the most significant",
        "Nanda et al. 2023, D.3",
    ),
    Key("acc/digit/<i>/<split>", "task", "accuracy of that digit", ""),
    Key(
        "loss/occurrence/<i>/<split>",
        "task",
        "loss of the scored tokens of occurrence i of a repeated subsequence, from 2",
        "Nanda et al. 2023, D.3",
    ),
    Key("acc/occurrence/<i>/<split>", "task", "accuracy of these tokens", ""),
    Key(
        "acc/test_mirrored",
        "task",
        "the same among the test pairs (a, b) with (b, a) trained on; commutative operations only",
        "",
    ),
    Key(
        "acc/test_unmirrored",
        "task",
        "the same among the other test pairs, those (a, a) included",
        "",
    ),
    Key(
        "norm/theta/all",
        "norm",
        "‖θ‖₂ of all parameters that exist",
        "Merrill et al. 2021, 3",
        "grads/weight_norm",
    ),
    Key("norm/theta/<parameter>", "norm", "‖θ‖₂ of one tensor", "Merrill et al. 2021, 3"),
    Key(
        "norm/change",
        "norm",
        "‖θ_t − θ_0‖₂ / ‖θ_0‖₂ of all parameters that exist",
        "Kumar et al. 2023",
    ),
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
    Key(
        "compress/attn_effective_rank/<layer>/<split>",
        "compress",
        "exp(−Σ q ln q) of what attention adds to the stream at `=`, in place of H",
        "Singh et al. 2026, README of the code",
    ),
    Key(
        "shortcut/loss/legacy/<split>",
        "shortcut",
        "loss without the norms of the blocks and with u / ‖u‖ in place of every MLP input u: SR-train, as released",
        "Singh et al. 2026, fig. 3a",
        "<split>/spec_loss",
    ),
    Key(
        "shortcut/loss/strict/<split>",
        "shortcut",
        "loss with u / ‖u‖ in place of what each MLP receives, after its norm, and nothing else changed",
        "Singh et al. 2026, 2.4",
    ),
    Key(
        "shortcut/loss/matched/<split>",
        "shortcut",
        "the same with c u / ‖u‖, c the mean ‖u‖ of the split: only differences of scale are gone",
        "",
    ),
    Key(
        "shortcut/acc/legacy/<split>",
        "shortcut",
        "accuracy as for shortcut/loss/legacy",
        "Singh et al. 2026",
        "<split>/spec_accuracy",
    ),
    Key("shortcut/acc/strict/<split>", "shortcut", "accuracy as for shortcut/loss/strict", ""),
    Key("shortcut/acc/matched/<split>", "shortcut", "accuracy as for shortcut/loss/matched", ""),
    Key(
        "compress/weight_alpha",
        "weights",
        "mean over the weight matrices of the blocks of compress/weight_alpha/<parameter>",
        "Singh et al. 2026, code",
        "htsr/alpha",
    ),
    Key(
        "compress/weight_alpha/<parameter>",
        "weights",
        "exponent of p(λ) ∝ λ^−α for the eigenvalues λ of WᵀW, fitted as compress/alpha",
        "Singh et al. 2026, code",
    ),
    Key(
        "compress/weight_published_stable_rank",
        "weights",
        "mean of ‖W‖_F / ‖W‖₂ over the matrices",
        "Singh et al. 2026, code",
        "htsr/stable_ranks",
    ),
    Key(
        "compress/weight_published_stable_rank/<parameter>",
        "weights",
        "‖W‖_F / ‖W‖₂: first powers, the root of the stable rank",
        "Singh et al. 2026, code",
    ),
    Key(
        "compress/weight_effective_rank",
        "weights",
        "mean of exp(−Σ q ln q) over the matrices",
        "Singh et al. 2026, code",
        "htsr/effective_ranks",
    ),
    Key(
        "compress/weight_effective_rank/<parameter>",
        "weights",
        "exp(−Σ q ln q), q = λ/Σλ, λ the eigenvalues of WᵀW",
        "Singh et al. 2026, code",
    ),
    Key(
        "compress/weight_rank",
        "weights",
        "mean rank of the matrices; the released means leave out W_Q, W_K, W_V of layers above 0",
        "Singh et al. 2026, code",
        "htsr/ranks",
    ),
    Key(
        "compress/weight_rank/<parameter>",
        "weights",
        "number of singular values of W above its longer side · 2⁻²³ · the largest",
        "Singh et al. 2026, code",
    ),
    Key(
        "kernel/sum_drift",
        "kernel",
        "‖K_t − K_0‖_F / ‖K_0‖_F of K = J Jᵀ, J_i the gradient of the sum of all scaled logits, on the first training pairs",
        "Singh et al. 2026, code",
        "ntk/relative_distance",
    ),
    Key(
        "kernel/sum_one_minus_cosine",
        "kernel",
        "1 − ⟨K_t, K_0⟩ / (‖K_t‖ ‖K_0‖) of that kernel: blind to its scale",
        "Fort et al. 2020, 3",
    ),
    Key(
        "kernel/sum_init_norm",
        "kernel",
        "‖K_0‖_F of that kernel",
        "Singh et al. 2026, code",
        "ntk/ntk_init_fro",
    ),
    Key(
        "kernel/trace_drift",
        "kernel",
        "relative distance as above of Σ_c J_c J_cᵀ, J_c the gradient of the centred logit c, estimated by random directions, on the first pairs of both splits",
        "",
    ),
    Key("kernel/trace_one_minus_cosine", "kernel", "1 − cosine as above of the trace kernel", ""),
    Key("kernel/trace_init_norm", "kernel", "‖K_0‖_F of the trace kernel", ""),
    Key(
        "kernel/alignment/<split>",
        "kernel",
        "Tr(Yᵀ K Y) / (‖K‖_F ‖Y Yᵀ‖_F) of the trace kernel on the split, Y one-hot labels",
        "Kumar et al. 2023",
    ),
    Key(
        "kernel/centred_alignment/<split>",
        "kernel",
        "the same of C K C and C Y Yᵀ C, C = I − 11ᵀ/n",
        "Cortes et al. 2012",
    ),
    Key(
        "hessian/eigenvalue/<k>",
        "hessian",
        "the eigenvalues of largest magnitude of the Hessian of the training loss without penalties, descending by value from k = 0",
        "",
    ),
    Key(
        "hessian/max",
        "hessian",
        "the largest of these eigenvalues",
        "Singh et al. 2026, code",
        "hessian/max_eigenval",
    ),
    Key(
        "hessian/mean",
        "hessian",
        "their mean",
        "Singh et al. 2026, code",
        "hessian/mean_eigenval",
    ),
    Key(
        "hessian/min",
        "hessian",
        "the smallest of them, not of the whole spectrum",
        "Singh et al. 2026, code",
        "hessian/min_eigenval",
    ),
    Key(
        "loss/all",
        "progress",
        "mean cross-entropy over all pairs of addition mod p, the `=` class left out",
        "Nanda et al. 2023, 4.4",
    ),
    Key(
        "progress/n_keys",
        "progress",
        "number of key frequencies, by `measures.progress.rule` or `keys`",
        "Nanda et al. 2023, C.2",
    ),
    Key(
        "progress/key/<k>",
        "progress",
        "1 if k is a key frequency, else 0",
        "Nanda et al. 2023, C.2",
        is_vector=True,
    ),
    Key(
        "progress/power_in_keys",
        "progress",
        "share of the power of W_L that lies in key frequencies, the constant left out",
        "Nanda et al. 2023, 4.2",
    ),
    Key(
        "progress/restricted/<variant>/<split>",
        "progress",
        "loss with only the waves of key frequencies and each class's mean left of the logits (`sum`: of a + b; `block2x2`: also of a − b; `block3x3`: also of a and of b; `cube`: cosines of a + b − c alone; `mlp`: of what the neurons add)",
        "Nanda et al. 2023, 5.1",
        "trig_loss",
    ),
    Key(
        "progress/restricted_acc/<split>",
        "progress",
        "accuracy of the variant `sum`",
        "Nanda et al. 2023, figure 13",
    ),
    Key(
        "progress/excluded/<variant>/<split>",
        "progress",
        "loss without these waves, all else kept",
        "Nanda et al. 2023, 5.1",
    ),
    Key(
        "progress/excluded_single/<k>",
        "progress",
        "training loss without the waves of a + b of frequency k",
        "Nanda et al. 2023, figure 15",
        is_vector=True,
    ),
    Key(
        "progress/excluded_max",
        "progress",
        "the largest of these",
        "Nanda et al. 2023, C.2",
    ),
    Key(
        "progress/test_over_restricted",
        "progress",
        "test loss over `progress/restricted/sum/all`",
        "Nanda et al. 2023, code",
    ),
    Key(
        "progress/gini/W_E",
        "progress",
        "Gini coefficient of the norms of the embedding's Fourier components",
        "Nanda et al. 2023, 5.1",
    ),
    Key(
        "progress/gini/W_L",
        "progress",
        "the same of the neuron-to-logit map W_L = W_U W_out",
        "Nanda et al. 2023, 5.1",
    ),
    Key(
        "progress/fve/<centring>",
        "progress",
        "share of the logits' squares explained by cosines of key frequencies: `raw`, after each pair's mean (`row_centred`), or also each class's (`centred`)",
        "Nanda et al. 2023, 4.2",
    ),
    Key(
        "progress/alpha/<k>",
        "progress",
        "least-squares coefficient of cos(2πk(a + b − c)/p) in the logits",
        "Nanda et al. 2023, 4.2",
        is_vector=True,
    ),
    Key(
        "progress/neurons_over_85",
        "progress",
        "neurons of which one frequency explains more than 85 %",
        "Nanda et al. 2023, 4.3",
    ),
    Key(
        "progress/neurons_of/<k>",
        "progress",
        "how many of them have frequency k",
        "Nanda et al. 2023, 4.3",
        is_vector=True,
    ),
    Key(
        "progress/read_out_min",
        "progress",
        "least share that its wave explains of the activations along a read-out direction of a key",
        "Nanda et al. 2023, table 1",
    ),
    Key(
        "progress/outside_keys",
        "progress",
        "‖W_L without the waves of key frequencies‖_F / ‖W_L‖_F",
        "Nanda et al. 2023, 4.2",
    ),
    Key(
        "progress/rank_gap",
        "progress",
        "singular value of W_L at twice the number of keys over the next one",
        "Nanda et al. 2023, 4.2",
    ),
    Key(
        "progress/attention_fve/<head>",
        "progress",
        "share of attention to a that its best frequency explains, first layer",
        "Nanda et al. 2023, table 2",
    ),
    Key(
        "progress/attention_frequency/<head>",
        "progress",
        "that frequency",
        "Nanda et al. 2023, table 2",
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
