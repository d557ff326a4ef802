"""Every log key: what it means, where it is from, what the papers' codes call it.

Imports nothing, so that ``grok list`` answers at once. A pattern's ``<field>`` stands for a
parameter, split, layer, head or frequency; the first part of a key is not its measure family,
since one family may write several kinds of keys.
"""

import re
from functools import cache
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
    "hindsight": "ProgressInHindsight: these losses under the key frequencies of the run's end",
    "ablation": "Ablations: loss on all pairs with a part of a one-layer network replaced",
    "repr": "RepresentationQuality: principal components and parallelograms of the embedding",
    "irrep": "IrrepMeasures: the same for the irreducible representations of any finite group",
    "dynamics": "NormDynamics: what every update adds to the norm of sets of parameters",
    "saturation": "Saturation: nearness to the network with all parameters times 1000, and whether that one solves the task",
    "homogeneity": "Homogeneity: how outputs grow with the scale of all parameters",
    "heads": "AttentionStats: how many positions heads attend to once attention is saturated",
}


def _and_last(pattern: str, family: str, meaning: str, source: str = "") -> tuple[Key, Key]:
    """A key, and the same over the last positions alone."""
    kind, name, *fields = pattern.split("/")
    last = "/".join((kind, f"{name}_last", *fields))
    return Key(pattern, family, meaning, source), Key(last, family, _LAST[family], "")


_LAST = {
    "saturation": "the same over the last positions of the examples alone (`=`)",
    "heads": "the same of the last query row alone (`=`)",
}


def _by_head(name: str, meaning: str, source: str = "") -> tuple[Key, ...]:
    """Keys of the mean over heads and of each head, of all rows and of the last one."""
    each = (("<layer>", "mean over heads"), ("<layer>/<head>", "one head"))
    return tuple(
        Key(key.pattern, "heads", f"{key.meaning}, {whose}", key.source)
        for fields, whose in each
        for key in _and_last(f"{name}/{fields}", "heads", meaning, source)
    )


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
        "loss/tosses/<i>/test",
        "task",
        "loss on the longer strings of majority of i tosses, i / 2 bits in the mean",
        "Merrill et al. 2022",
    ),
    Key("acc/tosses/<i>/test", "task", "accuracy on these strings", "Merrill et al. 2022"),
    Key(
        "loss/unigram/<split>",
        "task",
        "loss on the split of a prediction by the frequencies (each count + 1) of the training part; a language model that is no better has collapsed",
        "Merrill et al. 2021, 4.1",
    ),
    Key(
        "loss/perplexity/<split>",
        "task",
        "exp(loss/<split>) of a language model: of the mean over all tokens of all rows, not a mean over sentences",
        "",
    ),
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
    Key(
        "margin/<what>",
        "progress",
        "right logit less the largest other one: `min`, `mean` and `max` over all pairs",
        "replications of Nanda et al. 2023",
    ),
    Key(
        "hindsight/n_keys",
        "hindsight",
        "number of key frequencies of the run's last checkpoint",
        "Nanda et al. 2023, C.2",
    ),
    Key(
        "hindsight/restricted/<variant>/<split>",
        "hindsight",
        "as `progress/restricted`, under the key frequencies of the run's last checkpoint",
        "Nanda et al. 2023, figure 7",
    ),
    Key(
        "hindsight/restricted_acc/<split>",
        "hindsight",
        "accuracy of the variant `sum`",
        "Nanda et al. 2023, figure 13",
    ),
    Key(
        "hindsight/excluded/<variant>/<split>",
        "hindsight",
        "as `progress/excluded`, under these",
        "Nanda et al. 2023, figure 7",
    ),
    Key(
        "hindsight/test_over_restricted",
        "hindsight",
        "test loss over `hindsight/restricted/sum/all`",
        "Nanda et al. 2023, code",
    ),
    Key(
        "ablation/A1",
        "ablation",
        "loss on all pairs, `=` class left out: neurons that one frequency explains by more than 85 % replaced by its polynomial: mean and waves of a + b, a − b, a and b",
        "Nanda et al. 2023, 4.2 to 4.4",
    ),
    Key(
        "ablation/A2",
        "ablation",
        "logits replaced by their waves of a + b of key frequencies and each class's mean (`progress/restricted/sum/all`)",
        "Nanda et al. 2023, 4.2 to 4.4",
    ),
    Key(
        "ablation/A3",
        "ablation",
        "the same with the waves of a − b, of a and of b too (`progress/restricted/block3x3/all`)",
        "Nanda et al. 2023, 4.2 to 4.4",
    ),
    Key(
        "ablation/A4/<k>",
        "ablation",
        "all waves of frequency k taken from every neuron",
        "Nanda et al. 2023, code",
        is_vector=True,
    ),
    Key(
        "ablation/A5",
        "ablation",
        "neurons projected on the read-out directions of key frequencies",
        "Nanda et al. 2023, 4.2 to 4.4",
    ),
    Key(
        "ablation/A6",
        "ablation",
        "neurons without that projection",
        "Nanda et al. 2023, 4.2 to 4.4",
    ),
    Key(
        "ablation/A7/zero",
        "ablation",
        "nothing passes the MLP by: logits from W_out N + b_out alone",
        "Nanda et al. 2023, A.1 and C.1.3",
    ),
    Key(
        "ablation/A7/mean",
        "ablation",
        "the mean over pairs of what passes the MLP by in its place",
        "Nanda et al. 2023, A.1 and C.1.3",
    ),
    Key(
        "ablation/A8",
        "ablation",
        "attention adds nothing to the stream",
        "Nanda et al. 2023, A.1 and C.1.3",
    ),
    Key(
        "ablation/A9",
        "ablation",
        "nothing passes attention by: the MLP and all after it see attention's output alone",
        "Nanda et al. 2023, A.1 and C.1.3",
    ),
    Key(
        "ablation/A10",
        "ablation",
        "no attention to `=`: softmax over a and b",
        "Nanda et al. 2023, A.1 and C.1.3",
    ),
    Key(
        "ablation/A11",
        "ablation",
        "a line, fitted by least squares to each head, in place of the softmax over a and b",
        "Nanda et al. 2023, C.1.3",
    ),
    Key(
        "ablation/A12",
        "ablation",
        "logits replaced by Σ_k α_k cos(2πk(a + b − c)/p) over key frequencies",
        "Nanda et al. 2023, 4.2",
    ),
    Key(
        "irrep/n_keys",
        "irrep",
        "number of key representations: `measures.irrep.keys`, or those whose norm in W_L = W_U W_out, per basis function (d² of them, d²/2 for complex type), is above 1/4 of the largest; the trivial one is none",
        "Nanda et al. 2023, C.2, for frequencies",
    ),
    Key(
        "irrep/key/<irrep>",
        "irrep",
        "1 if the representation is a key, else 0; names: partitions such as `3.1.1` for S_n and A_n, frequencies for C_n and D_n, `2.1x1` for products",
        "",
        is_vector=True,
    ),
    Key(
        "irrep/power/<matrix>/<irrep>",
        "irrep",
        "share of the power of W_E, W_U or W_L in the functions ρ_ij of the element, the constant left out",
        "Chughtai et al. 2023, 5",
    ),
    Key(
        "irrep/power_in_keys/<matrix>",
        "irrep",
        "the sum of these shares over the keys",
        "Chughtai et al. 2023, 5",
    ),
    Key(
        "irrep/logit_power/<irrep>",
        "irrep",
        "share of the logits' squares, each pair's and each class's mean removed, in functions ρ_ij(a·b) of the pair",
        "Nanda et al. 2023, 4.1, for frequencies",
        is_vector=True,
    ),
    Key(
        "irrep/logit_power_in_keys",
        "irrep",
        "the sum of these shares over the keys",
        "",
    ),
    Key(
        "irrep/fve/<irrep>",
        "irrep",
        "share of the logits' squares, each pair's mean removed, explained by the character χ(a·b·c⁻¹)",
        "Chughtai et al. 2023, 5",
    ),
    Key(
        "irrep/fve_in_keys",
        "irrep",
        "the sum of these shares over the keys",
        "Chughtai et al. 2023, 5",
    ),
    Key(
        "irrep/alpha/<irrep>",
        "irrep",
        "least-squares coefficient of χ(a·b·c⁻¹) in the logits; half that of the cosine for planes of C_n",
        "Chughtai et al. 2023, 5",
        is_vector=True,
    ),
    Key(
        "irrep/restricted/<split>",
        "irrep",
        "loss with only the functions ρ_ij(a·b) of key representations and each class's mean left of the logits",
        "Nanda et al. 2023, 5.1, for frequencies",
    ),
    Key(
        "irrep/restricted_acc/<split>",
        "irrep",
        "accuracy of these logits",
        "Nanda et al. 2023, figure 13, for frequencies",
    ),
    Key(
        "irrep/excluded/<split>",
        "irrep",
        "loss without these functions, all else kept",
        "Nanda et al. 2023, 5.1, for frequencies",
    ),
    Key(
        "irrep/excluded_single/<irrep>",
        "irrep",
        "training loss without the functions ρ_ij(a·b) of one representation",
        "Nanda et al. 2023, figure 15, for frequencies",
    ),
    Key(
        "irrep/excluded_max",
        "irrep",
        "the largest of these",
        "Nanda et al. 2023, C.2, for frequencies",
    ),
    Key(
        "irrep/restricted_single/<irrep>",
        "irrep",
        "training loss with only those of one representation and each class's mean left",
        "",
        is_vector=True,
    ),
    Key(
        "repr/entropy",
        "repr",
        "entropy S of the shares of variance of the embedding's principal components",
        "Liu et al. 2022, 4.2",
    ),
    Key(
        "repr/effective_dim",
        "repr",
        "effective dimension exp(S): 1 on a line, 2 on a circle",
        "Liu et al. 2022, 4.2",
    ),
    Key(
        "repr/top2_share",
        "repr",
        "share of the variance of the embedding in its two strongest principal components",
        "Liu et al. 2022, figure 1",
    ),
    Key(
        "repr/rqi",
        "repr",
        "RQI: share of all parallelograms closed to 0.1 standard deviations; for matrices, to a mean square of 0.5",
        "Liu et al. 2022, equation 3; released code",
        "RQI",
    ),
    Key(
        "repr/rqi_diagram",
        "repr",
        "the same by the convention of the published phase diagrams: sum over dimensions, symbol 0 left out",
        "Liu et al. 2022, released code",
    ),
    Key(
        "repr/predicted_acc",
        "repr",
        "share of all pairs that are trained or share a closed parallelogram with one that is",
        "Liu et al. 2022, equations 12 and 13",
    ),
    Key(
        "repr/acc",
        "repr",
        "accuracy on all pairs, training and test",
        "Liu et al. 2022, figure 3",
    ),
    Key(
        "norm/theta/<set>",
        "dynamics",
        "‖θ‖₂ of a set of parameters; sets: all, encoder (all but embeddings and read-out), the groups embed, pos, attn.qk, attn.ov, mlp, ln, bias, unembed, and layer.<i>; `all` is read by the family norm here and for grad and delta",
        "Merrill et al. 2021, A",
    ),
    Key("norm/rms/<set>", "dynamics", "‖θ‖₂ / √n, n the number of weights of the set", ""),
    Key("norm/grad/<set>", "dynamics", "as norm/grad/all, of a set", ""),
    Key(
        "norm/delta/<set>", "dynamics", "as norm/delta/all, of a set", "Merrill et al. 2021, fig. 5"
    ),
    Key(
        "norm/cum_delta_sq/<set>",
        "dynamics",
        "Σ ‖δ‖² over all updates δ so far, weight decay included",
        "Merrill et al. 2021, 3.2",
    ),
    Key(
        "norm/cum_cross/<set>",
        "dynamics",
        "2 Σ θ·δ, θ before each update; with norm/cum_delta_sq the growth of ‖θ‖²",
        "Merrill et al. 2021, 3.2",
    ),
    Key(
        "norm/misaligned_share/<set>",
        "dynamics",
        "Σ ‖δ‖² / (‖θ_t‖² − ‖θ_0‖²): 1 = updates at right angles to θ, below 1 outward drift, above 1 or negative inward drift; NaN at step 0",
        "",
    ),
    Key(
        "norm/identity_residual/<set>",
        "dynamics",
        "|‖θ_t‖² − ‖θ_0‖² − Σ ‖δ‖² − 2 Σ θ·δ| / ‖θ_t‖²: rounding, or updates that were not added up",
        "",
    ),
    Key(
        "norm/grown_share/<set>",
        "dynamics",
        "share of single weights with |θ_t| > |θ_0|; uniform growth, which saturates, needs 1",
        "Merrill et al. 2021, propositions 1 and 2",
    ),
    Key(
        "norm/pyth_ratio/<set>",
        "dynamics",
        "(‖θ_t‖² − ‖θ_{t−1}‖²) / ‖δ‖² of the last update: 1 = at right angles, above 0 = growth",
        "",
    ),
    Key(
        "norm/kappa/<set>",
        "dynamics",
        "‖δ‖ / ‖ηθ‖ of the last update, η the rate of each weight",
        "Merrill et al. 2021, 3.2",
    ),
    Key(
        "norm/wd_part/<set>",
        "dynamics",
        "‖ηλθ‖ / ‖δ‖ of the last update: share of weight decay, where an update has the part −ηλθ (adamw, adafactor, sgd without momentum)",
        "",
    ),
    Key(
        "norm/cum_decay/<set>",
        "dynamics",
        "2 Σ θ·ηλθ over all updates: what weight decay has taken of norm/cum_cross",
        "",
    ),
    Key(
        "norm/equilibrium/<set>",
        "dynamics",
        "norm at which decay takes what updates like the last, δ + ηλθ at right angles to θ, add: ‖δ + ηλθ‖ / √(k(2 − k)), k = ‖ηλθ‖/‖θ‖; infinite without decay",
        "",
    ),
    Key(
        "norm/decay_threshold/<set>",
        "dynamics",
        "λ + (‖θ_t‖² − ‖θ_0‖²) / (2 Σ η‖θ‖²): weight decay that would have balanced the growth so far, to first order",
        "",
    ),
    Key(
        "align/theta_delta/<set>",
        "dynamics",
        "cos(θ, δ) of the last update, θ before it",
        "Merrill et al. 2021, fig. 5",
    ),
    Key(
        "align/theta_neggrad/<set>",
        "dynamics",
        "cos(θ, −∇L), L the whole training loss (and l1 penalty) at these parameters",
        "Merrill et al. 2021, 3.2",
    ),
    Key(
        "align/delta_neggrad/<set>",
        "dynamics",
        "cos(δ, −g) of the last update, g the gradient that the optimiser was given for it",
        "",
    ),
    Key("dir/cos_init/<set>", "dynamics", "cos(θ_t, θ_0)", ""),
    Key(
        "dir/cos_prev/<set>",
        "dynamics",
        "cos(θ_t, θ_{t−lag}), read at multiples of `measures.dynamics.lag`",
        "Merrill et al. 2021, fig. 1",
    ),
    Key(
        "margin/theta_grad",
        "dynamics",
        "θ·∇L, L the whole training loss (and l1 penalty); below 0 gradient descent adds to ‖θ‖²",
        "Merrill et al. 2021, version 1",
    ),
    Key(
        "margin/surplus/<split>",
        "dynamics",
        "mean of f_y − Σ p f, f the logits at the temperature of the cross-entropy, p their softmax: −θ·∇L / k of a network of homogeneous degree k",
        "Merrill et al. 2021, version 1",
        "margin/fy_minus_Epf",
    ),
    *_and_last(
        "sat/layer/<layer>",
        "saturation",
        "cosine of the stream after a block, f(x; θ) to f(x; 1000 θ), mean over positions of the first 256 examples of each split",
        "Merrill et al. 2021, 4 and figure 2",
    ),
    *_and_last(
        "sat/layer_std/<layer>", "saturation", "standard deviation of that cosine over positions"
    ),
    *_and_last(
        "sat/layer_centred/<layer>",
        "saturation",
        "mean cosine once the mean over positions is taken from both",
    ),
    *_and_last(
        "sat/final",
        "saturation",
        "the cosine of what the unembedding reads",
        "Merrill et al. 2021, 4",
    ),
    *_and_last(
        "sat/final_centred",
        "saturation",
        "the same once the mean over positions is taken from both",
    ),
    *_and_last(
        "sat/repr_var",
        "saturation",
        "share of the squares of what the unembedding reads that is not in its mean over positions; 0 = a constant function",
    ),
    *_and_last("sat/logits", "saturation", "the cosine of the logits"),
    *_and_last(
        "sat/argmax_agreement",
        "saturation",
        "share of positions at which both networks have the largest logit in one class",
    ),
    *_and_last(
        "sat/attn_out/<layer>", "saturation", "the cosine of what heads mix (A V), mean over heads"
    ),
    *_and_last("sat/attn_out/<layer>/<head>", "saturation", "the cosine of what one head mixes"),
    *_and_last("sat/ff_out/<layer>", "saturation", "the cosine of what the MLP adds to the stream"),
    Key(
        "sat/convergence",
        "saturation",
        "sat/final between the networks at 1000 θ and 10,000 θ; if `measures.saturation.check_convergence`",
        "Merrill et al. 2021, released code has 1000 alone",
    ),
    Key(
        "sat/loss/<variant>/<split>",
        "saturation",
        "loss of the saturated network on all of the split: `limit`, f(x; 1000 θ) scaled to the length of the logits as trained; `hard`, tie-averaging argmax in place of softmax",
        "",
    ),
    Key("sat/acc/<variant>/<split>", "saturation", "accuracy of that network", ""),
    Key(
        "homog/euler_degree",
        "homogeneity",
        "⟨f, θ·∇f⟩ / ⟨f, f⟩ of the logits on the first 128 examples of each split: the degree k of f(cθ) = c^k f(θ)",
        "Merrill et al. 2021, definition 2",
    ),
    Key(
        "homog/euler_degree/<component>/<layer>",
        "homogeneity",
        "the same of `scores`, `pattern`, `heads` (values mixed), `attn_out`, `mlp_out` or `resid`",
        "Merrill et al. 2021, table 1",
    ),
    Key(
        "homog/euler_degree/final",
        "homogeneity",
        "the same of what the unembedding reads: 1 after a norm with a gain",
        "",
    ),
    Key(
        "homog/leading_degree",
        "homogeneity",
        "ln(‖f(1.01 cθ)‖ / ‖f(cθ)‖) / ln 1.01 of the logits at c = 1000",
        "Merrill et al. 2021, definition 3",
    ),
    Key(
        "homog/leading_degree/<component>/<layer>",
        "homogeneity",
        "the same of a component",
        "Merrill et al. 2021, table 1",
    ),
    Key("homog/leading_degree/final", "homogeneity", "the same of what the unembedding reads", ""),
    Key(
        "homog/local_degree/<c>",
        "homogeneity",
        "the same of the logits at c of `measures.homogeneity.scales`",
        "",
    ),
    Key(
        "homog/rel_err/<c>",
        "homogeneity",
        "‖f(2cθ) − 2^k f(cθ)‖ / ‖2^k f(cθ)‖ of the logits, k the leading degree",
        "Merrill et al. 2021, definition 3, there absolute",
    ),
    Key(
        "homog/cos_to_sat/<c>",
        "homogeneity",
        "cosine of all logits f(cθ) together to f(1000 θ)",
        "Merrill et al. 2021, figure 4",
    ),
    *_by_head(
        "attn/n_mean",
        "positions that saturated attention attends to, mean over examples and query rows",
        "Merrill et al. 2021, figure 3",
    ),
    *_by_head(
        "attn/n_std",
        "its standard deviation over examples and rows",
        "Merrill et al. 2021, figure 3",
    ),
    *_by_head("attn/frac", "share of the visible positions that are attended to"),
    *_by_head(
        "attn/split",
        "share of rows that attend to more than one position",
        "Merrill et al. 2021, figure 3",
    ),
    *_by_head("attn/split_of_many", "the same of rows that see two or more"),
    *_by_head("attn/dist", "mean distance from query to key by saturated weight, positions"),
    *_by_head("attn/reldist", "that over the distance of uniform attention"),
    *_by_head(
        "attn/leak",
        "saturated weight on positions that are not visible; 0 unless the mask is wrong",
    ),
    *_by_head("attn/eff", "exp(entropy) of the weights as they are: effective number of positions"),
    *_by_head(
        "attn/entropy_share",
        "entropy over its largest, ln of the visible positions, of rows that see two or more",
    ),
    *_by_head(
        "sat/attn_kl",
        "KL divergence of the weights from the uniform ones over keys with more than 0.9 of the largest weight, nats",
        "later code of Merrill et al.",
    ),
    *_and_last(
        "attn/num_argmax/<layer>",
        "heads",
        "heads with attn/n_mean up to `measures.heads.argmax_below`",
        "Merrill et al. 2021, figure 3, by eye",
    ),
    *_and_last(
        "attn/num_mean/<layer>",
        "heads",
        "other heads with attn/frac from `measures.heads.mean_from`",
        "Merrill et al. 2021, figure 3, by eye",
    ),
    *_and_last(
        "attn/num_mixed/<layer>", "heads", "the heads left", "Merrill et al. 2021, figure 3, by eye"
    ),
    Key("onset/<what>", "summary", "first reading at which it was reached; null = never", ""),
    Key(
        "fit/<set>/<what>",
        "summary",
        "fits to norm/theta/<set> over the run, where `dynamics` was read: R² `r2_` of a g(t) + b with g = `linear` t, `sqrt`, `fourth_root`, `log` (1 + t); `r2_square` of ‖θ‖² linear from its start; `p`, `p_se`, `p_r2` of a t^p + b; `log_slope` of ln ‖θ‖ on ln t; R² and constant `r2_` and `kappa_` of the models `aligned`, `misaligned`, `constant` (updates of Adam) and `measured`",
        "Merrill et al. 2021, 3.1 and 3.2; p, log, squares, constant and measured are ours",
        "fit/dynamics/r2_adam",
    ),
    Key(
        "fit/<set>/<what>/<window>",
        "summary",
        "the same from step 0 to the `peak` of the norm, or to the first reading of `train_acc_99`, `test_acc_50`, `test_acc_99`",
        "",
    ),
    Key("fit/<set>/peak_step", "summary", "step of the largest norm that was read", ""),
    Key(
        "fit/<set>/peak_lag",
        "summary",
        "onset/test_acc_99 less that step; absent where it was not read",
        "",
    ),
    Key("speed/steps_per_second", "summary", "updates per second, readings included", ""),
)


@cache
def find_key(key: str) -> Key | None:
    """Row of the table that a log key belongs to; None when it is in no row."""
    exact = [row for row in KEYS if row.pattern == key]
    return next(iter(exact + [row for row in KEYS if _regex(row.pattern).fullmatch(key)]), None)


_SET = r"(?:all|encoder|embed|pos|attn\.qk|attn\.ov|mlp|ln|bias|unembed|layer\.\d+)"
_FIELDS = {"set": _SET, "parameter": rf"(?!{_SET}$)[^/]+"}
"""What stands for a field that is not any text without a slash; no parameter is named like a set."""


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"<([a-z_]+)>", lambda m: _FIELDS.get(m[1], "[^/]+"), pattern))
