"""Where a LayerNorm sits and when the network generalises (figures 1, 2a, 3b)."""

import math
from collections.abc import Iterator

from grok.claims.claim import Part, at_least, at_most, claim, every, ordered, shown, within
from grok.claims.evidence import Evidence
from grok.claims.inductive_bias.arms import DENSE_TRAIN, full, layernorm
from grok.claims.sample import log_rank, mean_ratio


def early(e: Evidence) -> Iterator[Part]:
    """IB-11 and, with RMSNorm, the first part of IB-31."""
    m, off = e["M"], e["No LN"]
    yield at_most("M: step of test accuracy 0.95", m.reached("acc/test", 0.95), 1000)
    yield at_most("M: step of test accuracy 0.99", m.onset("test_acc_99"), 1300)
    yield at_most("No LN: test accuracy at 1,300", off.at("acc/test", 1300), 0.32)
    yield at_least("No LN: test loss at 1,300", off.at("loss/test", 1300), 18)


def no_benefit(e: Evidence) -> Iterator[Part]:
    """IB-12."""
    yield at_most("A*: test accuracy at 2,000", e["A*"].at("acc/test", 2000), 0.35)


@claim(
    id="IB-10",
    tier="S",
    statement="Every placement fits the training pairs fast",
    source="fig. 1, 2a",
    published="238 [188, 280] without LN, 74 to 101 with",
    arms={
        "No LN": layernorm("none", 350),
        **{name: layernorm(name, 150) for name in ("A*", "M+A*", "M", "A^v")},
    },
)
def memorisation(e: Evidence) -> Iterator[Part]:
    """IB-10."""
    for name, arm in e.arms.items():
        bound = 350 if name == "No LN" else 150
        yield at_most(f"{name}: step of train accuracy 0.99", arm.onset("train_acc_99"), bound)


IB_11 = claim(
    id="IB-11",
    tier="S",
    statement="LN before the MLP alone (M) generalises an order of magnitude earlier",
    source="fig. 1, 2a",
    published="M 875 [726, 990]; No LN 7,695 [6,188, 7,829]",
    arms={"M": layernorm("M", 1300), "No LN": layernorm("none", 1300)},
)(early)


IB_12 = claim(
    id="IB-12",
    tier="S",
    statement="LN before attention (A*) does not share the benefit",
    source="fig. 2a",
    published="0.28 [0.25, 0.30]",
    arms={"A*": layernorm("A*", 2000)},
)(no_benefit)


@claim(
    id="IB-13a",
    tier="S",
    statement="Both LN (M+A*) are slower than M alone",
    source="fig. 2a",
    published="0.305 at 1,000",
    arms={"M+A*": layernorm("M+A*", 1200)},
)
def intermediate(e: Evidence) -> Iterator[Part]:
    """IB-13, first part."""
    yield at_most("M+A*: test accuracy at 1,200", e["M+A*"].at("acc/test", 1200), 0.40)


@claim(
    id="IB-13b",
    tier="F",
    statement="Both LN (M+A*) lie between M and A*",
    source="fig. 2a",
    published="3,281 [2,085, 3,326]",
    arms=full("M+A*"),
)
def intermediate_onset(e: Evidence) -> Iterator[Part]:
    """IB-13, second part."""
    yield within("M+A*: step of test accuracy 0.99", e["M+A*"].onset("test_acc_99"), 1700, 4200)


@claim(
    id="IB-14a",
    tier="S",
    statement="LN on the value path accelerates, LN on queries and keys does not",
    source="fig. 3b",
    published="A^v 1,709 [1,382, 1,811]; A^qk 26.5 [23.1, 32.6]",
    arms={"A^v": layernorm("A^v", 2100), "A^qk": layernorm("A^qk", 2000)},
)
def value_path(e: Evidence) -> Iterator[Part]:
    """IB-14, first part."""
    yield at_most("A^v: step of test loss 0.1", e["A^v"].onset("test_loss_0.1"), 2100)
    yield at_least("A^qk: test loss at 2,000", e["A^qk"].at("loss/test", 2000), 15)


@claim(
    id="IB-14b",
    tier="F",
    statement="With LN on queries and keys no seed generalises within 10,000 steps",
    source="fig. 3b",
    published="never; final test loss 16.0 [2.9, 27.2]",
    arms=full("A^qk"),
)
def query_key_path(e: Evidence) -> Iterator[Part]:
    """IB-14, second part."""
    yield every(
        "A^qk: step of test loss 0.01",
        e["A^qk"].onset("test_loss_0.01"),
        "not by 10,000",
        math.isinf,
    )


@claim(
    id="IB-15",
    tier="F",
    statement="Order of generalisation: M, A^v, M+A*, A*, none later than without LN",
    source="fig. 1",
    published="M 875, A^v 1,709 (loss 0.1), M+A* 3,281, A* 7,086, No LN 7,695 (mean curve)",
    arms=full("M", "A^v", "M+A*", "A*", "No LN"),
)
def full_order(e: Evidence) -> Iterator[Part]:
    """IB-15."""
    t = {name: arm.onset("test_acc_99") for name, arm in e.arms.items()}
    off = t["No LN"]
    yield ordered(
        "median step of test accuracy 0.99", {n: t[n] for n in ("M", "A^v", "M+A*", "A*")}
    )
    yield at_most("mean(A*) / mean(No LN)", mean_ratio(t["A*"], off), 1.0)
    yield at_most("mean(M) / mean(No LN)", mean_ratio(t["M"], off), 0.25)
    yield within("mean(M+A*) / mean(No LN)", mean_ratio(t["M+A*"], off), 0.25, 0.65)
    # Censored ones would make the ratios too large, and the last one has a lower bound.
    yield every("No LN", off, "reached", math.isfinite)
    for name in ("M", "A^v", "M+A*", "A*"):
        yield shown(f"{name} - No LN, paired seeds", t[name].paired(t["No LN"]))
        yield shown(f"log-rank p of {name} against No LN", log_rank(t[name], t["No LN"]))


@claim(
    id="IB-16a",
    tier="S",
    statement="A* fits the training pairs first, then M+A*, M, No LN",
    source="fig. 1",
    published="148, 214, 231, 317",
    arms={
        "No LN": layernorm("none", 400, DENSE_TRAIN),
        **{name: layernorm(name, 400, DENSE_TRAIN) for name in ("A*", "M+A*", "M")},
    },
)
def train_order(e: Evidence) -> Iterator[Part]:
    """IB-16, first part."""
    t = {name: e[name].onset("train_loss_0.01") for name in ("A*", "M+A*", "M", "No LN")}
    yield ordered("median step of train loss 0.01", t)


@claim(
    id="IB-16b",
    tier="F",
    statement="Fitting the training pairs early does not mean generalising early",
    source="fig. 1",
    published="A* 7,086 [3,601, 7,180]; M+A* 3,281 [2,085, 3,326]",
    arms=full("A*", "M+A*"),
)
def train_against_test(e: Evidence) -> Iterator[Part]:
    """IB-16, second part."""
    a, ma = (e[name].onset("test_acc_99") for name in ("A*", "M+A*"))
    yield at_least("mean t_test(A*) / mean t_test(M+A*)", a.mean / ma.mean, 1.3)
    yield shown("t_test(A*)", a)
    # A censored one would make the ratio too large.
    yield every("t_test(M+A*)", ma, "reached", math.isfinite)
