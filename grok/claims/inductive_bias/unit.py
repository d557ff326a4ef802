"""IB-01 to IB-09: data, networks, formulas and bookkeeping, without a training run."""

import math
from collections.abc import Iterator

from grok.claims.claim import (
    Part,
    all_above,
    all_below,
    all_near,
    at_most,
    claim,
    equal,
    every,
)
from grok.claims.evidence import Evidence
from grok.claims.inductive_bias.arms import PLACEMENTS
from grok.claims.sample import Sample

FIRST_PAIRS = {
    "456": (49, 101),
    "789": (48, 80),
    "111": (111, 92),
    "222": (17, 38),
    "333": (106, 45),
    "0": (18, 34),
}
"""First training pair of each seed, computed from the released split."""


@claim(
    id="IB-01",
    tier="U",
    statement="The data split is that of the released code, bit for bit",
    source="section 2.1, appendix C",
    published="3,831 and 8,938 pairs; first pair of seed 456: (49, 101)",
    check="inductive_bias.ib_01",
)
def split(e: Evidence) -> Iterator[Part]:
    """Sizes, first pairs, labels and tokens."""
    yield equal("training pairs", e.check("n_train"), 3831)
    yield equal("test pairs", e.check("n_test"), 8938)
    for place, name in enumerate(("first_a", "first_b")):
        found = e.check(name)
        wrong = {s: float(x != FIRST_PAIRS[s][place]) for s, x in found.values.items()}
        yield equal(f"{name} differs from the released split", Sample(wrong), 0)
    yield equal("labels that are not (a + b) mod 113", e.check("label_errors"), 0)
    yield equal("third token", e.check("equals_token"), 113)
    yield equal("rows with other tokens", e.check("token_errors"), 0)


@claim(
    id="IB-02",
    tier="U",
    statement="Initialisation has the published size, number of parameters and loss",
    source="appendix C, released logs",
    published="norm 31.84 and 35.63; initial loss 4.741",
    check="inductive_bias.ib_02",
)
def initialisation(e: Evidence) -> Iterator[Part]:
    """Norms, counts, first loss."""
    norms, counts = e.check("norm"), e.check("n_parameters")
    kaiming, off = "kaiming", "No LN"
    normed = [n for n in PLACEMENTS if n != off]
    yield all_near("norm, No LN", _cases(norms, off), 31.9, 0.2)
    yield all_near("norm, with LN", _cases(norms, *normed), 35.7, 0.2)
    yield all_near("norm, Kaiming", _cases(norms, kaiming), 44.2, 0.3)
    yield equal("parameters, No LN", _cases(counts, off, kaiming), 226_816)
    yield equal("parameters, with LN", _cases(counts, *normed), 227_328)
    yield all_near("initial loss, No LN", e.check("initial_loss"), 4.74, 0.02)


@claim(
    id="IB-03",
    tier="U",
    statement="A LayerNorm sits on exactly the path that its name says",
    source="table 1, section 2.2",
    published="",
    check="inductive_bias.ib_03",
)
def paths(e: Evidence) -> Iterator[Part]:
    """What scaling the block's input, or the MLP's, changes."""
    blind = {
        "pattern": ("A^qk", "A*", "M+A*"),
        "attn_out": ("A*", "M+A*"),
        "mlp_out": ("M", "M+A*", "M+A^v"),
    }
    for name, placements in blind.items():
        changes = e.check(name)
        others = [p for p in PLACEMENTS if p not in placements]
        yield all_below(
            f"change of {name}, {', '.join(placements)}", _only(changes, placements), 1e-9
        )
        yield all_above(f"change of {name}, the others", _only(changes, others), 1e-3)


@claim(
    id="IB-04",
    tier="U",
    statement="The first update has the published norm, which tells GELU from ReLU",
    source="fig. 5d, released logs",
    published="0.4667 [0.4651, 0.4680]",
    check="inductive_bias_steps.ib_04",
)
def first_update(e: Evidence) -> Iterator[Part]:
    """Norm of the first update."""
    yield all_near("GELU", e.check("update_norm", "gelu"), 0.465, 0.004)
    yield all_near("ReLU", e.check("update_norm", "relu"), 0.439, 0.012)


@claim(
    id="IB-05",
    tier="U",
    statement="AdamW with eps = 0 does not see the scale of the loss",
    source="section 3.1",
    published="",
    check="inductive_bias_steps.ib_05",
)
def loss_scale(e: Evidence) -> Iterator[Part]:
    """Trajectories of scaled losses."""
    yield all_below("relative difference over 5 steps", e.check("difference"), 1e-4)


@claim(
    id="IB-06",
    tier="U",
    statement="The gradient grows with alpha, squared for MSE and less for cross-entropy",
    source="section 3.1",
    published="2 for MSE, below 2 for cross-entropy",
    check="inductive_bias_steps.ib_06",
)
def gradient_scale(e: Evidence) -> Iterator[Part]:
    """Log-log slopes."""
    ce, mse = e.check("slope_ce"), e.check("slope_mse")
    yield every("slope, cross-entropy", ce, "in [0.9, 1.7]", lambda x: 0.9 <= x <= 1.7)
    yield every("slope, MSE", mse, "in [1.9, 2.1]", lambda x: 1.9 <= x <= 2.1)
    yield every("MSE - cross-entropy", mse.paired(ce), "≥ 0.3", lambda x: x >= 0.3)


@claim(
    id="IB-07",
    tier="U",
    statement="AdamW's first update does not depend on alpha",
    source="section 3.1, released logs",
    published="max/min 1.018",
    check="inductive_bias_steps.ib_07",
)
def first_update_by_alpha(e: Evidence) -> Iterator[Part]:
    """Largest over smallest norm."""
    ratio = {name: e.check("ratio", name) for name in ("kaiming", "lecun")}
    yield every("max/min, Kaiming, eps 0", ratio["kaiming"], "≤ 1.005", lambda x: x <= 1.005)
    yield every("max/min, lecun, eps 1e-8", ratio["lecun"], "≤ 1.04", lambda x: x <= 1.04)


@claim(
    id="IB-08",
    tier="U",
    statement="Rate and decay are booked as in the released code",
    source="figures 4a, 5a, released code",
    published="",
    check="inductive_bias_steps.ib_08",
)
def bookkeeping(e: Evidence) -> Iterator[Part]:
    """Rates, products with decay, and parameters without gradient."""
    for name in ("eta", "eta_lambda"):
        found = e.check(f"lr_rule/{name}").values
        gap = Sample({a: abs(x * float(a) ** 2 / 1e-3 - 1) for a, x in found.items()})
        yield all_below(f"eta_0/alpha^2: relative error of {name}", gap, 1e-9)
    held = e.check("hold/eta_lambda").map(lambda x: abs(x / 1e-3 - 1))
    yield all_below("eta*lambda held: relative error", held, 1e-9)
    yield equal("change of a norm without gradient", e.check("change_unused"), 0)
    yield all_above("change of a norm with gradient", e.check("change_used"), 0)


@claim(
    id="IB-09",
    tier="U",
    statement="The measures have the known values of known inputs",
    source="figures 2, 3c, 6",
    published="",
    check="inductive_bias.ib_09",
)
def formulas(e: Evidence) -> Iterator[Part]:
    """C_Fourier, effective rank, power law, entropy."""
    c = "concentration"
    yield all_near("C_Fourier, Gaussian, mean of 200", e.check(c, "gaussian"), 0.0083, 0.0004)
    yield all_near("C_Fourier, 5 frequencies, mean of 50", e.check(c, "five"), 3.37, 0.12)
    ranks = e.check("effective_rank").values
    error = Sample({r: abs(x / float(r) - 1) for r, x in ranks.items()})
    yield at_most("effective rank, largest relative error", error.max, 0.01)
    found = e.check("exponent").values
    gap = Sample({case: abs(x - float(case.split("/")[0])) for case, x in found.items()})
    yield at_most("power law, largest error of the exponent", gap.max, 0.1)
    yield all_near("entropy of uniform attention", e.check("entropy"), math.log(3), 1e-7)


def _cases(sample: Sample, *names: str) -> Sample:
    """Cases ``<name>/<seed>`` of some names."""
    return Sample({c: x for c, x in sample.values.items() if c.rpartition("/")[0] in names})


def _only(sample: Sample, names: "list[str] | tuple[str, ...]") -> Sample:
    return Sample({case: x for case, x in sample.values.items() if case in names})
