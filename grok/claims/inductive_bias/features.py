"""Scale shortcut, kernels and compressibility (figures 3a, 6, 9)."""

import math
from collections.abc import Iterator

import numpy as np

from grok.claims.claim import Part, at_least, at_most, below, claim, ordered, shown, within
from grok.claims.evidence import Evidence, common
from grok.claims.inductive_bias.arms import (
    ALPHAS,
    DECAYS,
    INVERSE,
    full,
    layernorm,
    readout,
    reduced,
    weight_decay,
)
from grok.claims.sample import Sample, rank_correlation
from grok.metrics.onset import onset

SR = "shortcut/loss/legacy/train"
RANK = "compress/effective_rank/test"
KERNEL = ("--measures.kernel.enabled=true", "--measures.kernel.schedule.every=200")


def _margin(e: Evidence) -> Sample:
    """Smallest distance of SR from the training loss at common readings from step 200 on."""
    found = {}
    for seed in e["No LN"].runs:
        series = (e["No LN"].series(key, seed) for key in (SR, "loss/train"))
        steps, sr, loss = common(*series)
        found[seed] = float((sr - loss)[steps >= 200].min())
    return Sample(found)


def _follows(e: Evidence) -> Sample:
    """Spearman correlation of SR with the test loss at the readings from SR's maximum on."""
    found = {}
    for seed in e["No LN"].runs:
        series = (e["No LN"].series(key, seed) for key in (SR, "loss/test"))
        _, sr, loss = common(*series)
        first = 1 + int(sr[1:].argmax())
        found[seed] = rank_correlation(sr[first:], loss[first:])
    return Sample(found)


def _near_minimum(steps: np.ndarray, values: np.ndarray) -> float:
    """First step from 200 on within 10 % of the minimum from 200 on; NaN if a value is."""
    steps, values = steps[steps >= 200], values[steps >= 200]
    step = onset(steps, values, 1.1 * values.min(), "below")
    return math.nan if step is None else float(step)


@claim(
    id="IB-18",
    tier="S",
    statement="Without LN the fit of the training pairs rests on the scale of the MLP's input",
    source="fig. 3a",
    published="SR at 2,000: No LN 5.49 [5.32, 5.72], M 3.35 [2.93, 3.68]",
    arms={"No LN": layernorm("none", 2000), "M": layernorm("M", 2000)},
)
def shortcut(e: Evidence) -> Iterator[Part]:
    """IB-18."""
    off, m = e["No LN"], e["M"]
    yield at_least("No LN: smallest SR - train loss from 200 on", _margin(e), 1.0)
    rise = off.at(SR, 2000).paired(off.at(SR, 200))
    yield at_least("No LN: SR(2,000) - SR(200)", rise, 1.5)
    yield below("No LN: train loss at 1,000", off.at("loss/train", 1000), 1e-4)
    yield at_least("No LN: SR at 2,000", off.at(SR, 2000), 5.0)
    yield at_most("M: SR at 2,000", m.at(SR, 2000), 3.9)


def shortcut_falls(e: Evidence) -> Iterator[Part]:
    """IB-19."""
    arm = e["No LN"]
    last = arm.each(SR, lambda _, v: v[-1] / v[1:].max())
    yield at_most("SR at the end / its maximum", last, 0.7)
    peak = arm.each(SR, lambda s, v: s[1:][v[1:].argmax()])
    ahead = peak.paired(arm.onset("test_acc_99"))
    yield below("step of the maximum - step of test accuracy 0.99", ahead, 0)
    yield at_least("rank correlation of SR with test loss after the maximum", _follows(e), 0.8)
    yield shown("step of the maximum", peak)


IB_19A = claim(
    id="IB-19a",
    tier="F",
    statement="The shortcut falls as the network generalises",
    source="fig. 3a",
    published="peak of the mean 6.12 at 3,579; 3.28 at 10,000",
    arms=full("No LN"),
)(shortcut_falls)


IB_19B = claim(
    id="IB-19b",
    tier="R",
    statement="The same on the smaller task",
    source="new",
    published="",
    arms={"No LN": reduced("none", 4000)},
)(shortcut_falls)


@claim(
    id="IB-28a",
    tier="S",
    statement="Features move from the start: no run is lazy",
    source="section 3.3; kernels from the authors' logs",
    published="drift 158 to 834 at 200; 48 for eta_0/alpha^2, alpha = 1.5; ER +19 %",
    arms={
        **{
            f"{name}, alpha = {alpha}": readout(alpha, rule, 200, *KERNEL)
            for name, rule in (("constant", "constant"), ("inverse", INVERSE))
            for alpha in ALPHAS
        },
        "No LN": layernorm("none", 1000),
    },
)
def features_move(e: Evidence) -> Iterator[Part]:
    """IB-28, first part."""
    for name in e.arms:
        if name != "No LN":
            drift = e[name].at("kernel/sum_drift", 200)
            yield at_least(f"{name}: drift of the sum-of-logits kernel at 200", drift, 10)
            centred = e[name].at("kernel/trace_drift", 200)
            yield at_least(f"{name}: drift of the centred kernel at 200", centred, 1)
    off = e["No LN"]
    change = off.at(RANK, 1000).mean / off.at(RANK, 200).mean - 1
    yield at_least("No LN: |change of mean ER from 200 to 1,000|", abs(change), 0.10)
    loss = Sample({s: float(v.max()) for s, v in off.window("loss/train", 200, 1000).items()})
    yield below("No LN: largest train loss from 200 to 1,000", loss, 0.2)


@claim(
    id="IB-28b",
    tier="F",
    statement="Without LN the features have compressed by the end",
    source="fig. 6a",
    published="8.3 of 35.8",
    arms=full("No LN"),
)
def features_compress(e: Evidence) -> Iterator[Part]:
    """IB-28, second part."""
    ratio = e["No LN"].each(RANK, lambda _, v: v[-1] / v.max())
    yield at_most("No LN: final ER / its maximum", ratio, 0.4)


@claim(
    id="IB-29a",
    tier="S",
    statement="Features compress early with M and late with A*",
    source="fig. 6a",
    published="M 14.7 [11.8, 18.1], No LN 35.8 [26.1, 42.1], A* 55.8 [52.0, 58.8]",
    arms={
        "M": layernorm("M", 2000),
        "No LN": layernorm("none", 2000),
        "A*": layernorm("A*", 2000),
    },
)
def compress_early(e: Evidence) -> Iterator[Part]:
    """IB-29, first part."""
    yield at_most("M: ER at 2,000", e["M"].at(RANK, 2000), 20)
    yield within("No LN: ER at 2,000", e["No LN"].at(RANK, 2000), 24, 45)
    yield at_least("A*: ER at 2,000", e["A*"].at(RANK, 2000), 48)


@claim(
    id="IB-29b",
    tier="F",
    statement="Features compress in the order of generalisation",
    source="fig. 6c",
    published="4,400, 5,200, 8,000, 8,600 (mean curve)",
    arms=full("M", "M+A*", "A*", "No LN"),
)
def compress_order(e: Evidence) -> Iterator[Part]:
    """IB-29, second part: per seed, then the median (the paper: of the mean curve)."""
    names = ("M", "M+A*", "A*", "No LN")
    t = {name: e[name].each(RANK, _near_minimum) for name in names}
    yield ordered("median step within 10 % of the smallest ER", t)
    low = {name: e[name].each(RANK, lambda s, v: v[s >= 200].min()) for name in names}
    yield below("smallest ER: No LN - A*, paired seeds", low["No LN"].paired(low["A*"]), 0)
    for name in names:
        yield shown(f"{name}: smallest ER", low[name])


@claim(
    id="IB-30",
    tier="F",
    statement="Compressibility follows weight decay",
    source="fig. 9",
    published="ER 42.1, 40.7, 31.2, 7.3, 8.3, 7.0 for lambda 0.1 to 1.5",
    arms={decay: weight_decay(decay, 10_000) for decay in DECAYS},
)
def compress_by_decay(e: Evidence) -> Iterator[Part]:
    """IB-30."""
    for name in DECAYS:
        mean = e[name].last(RANK).mean
        what = f"lambda = {name}: mean ER at 10,000"
        yield at_most(what, mean, 12) if float(name) >= 0.75 else at_least(what, mean, 25)
    rank = {f"lambda = {n}": e[n].last("compress/rank/test").mean for n in reversed(DECAYS)}
    yield ordered("mean rank at 10,000, lambda falling", rank, "≤")
