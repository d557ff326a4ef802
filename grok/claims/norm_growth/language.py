"""NG-C1 to C5: how the norm of a language model grows, from scratch on WikiText-2."""

from collections.abc import Iterator, Mapping

import numpy as np

from grok.claims.claim import Part, above, at_least, at_most, below, claim, shown, within
from grok.claims.evidence import ArmEvidence, Evidence
from grok.claims.norm_growth.arms import (
    NORM,
    PLACEMENTS,
    affine_r2,
    exponent,
    final_ratio,
    placed,
    scheduled,
    share_rising,
)
from grok.claims.sample import Sample

SERIES = "sublayer_ln", "pre_ln"
"""Placements whose growth is judged; that of post_ln is looked at more loosely."""

CONSTANT, FALLING, SGD = "constant", "1/sqrt(t)", "SGD"
"""Arms that differ in the rate alone, and plain descent."""


@claim(
    id="NG-C1",
    tier="S",
    statement="The norm grows while a language model trains (AdamW, decay 0.01)",
    source="section 4.1, appendix A",
    published="1.8 times for sublayer_ln, 1.06 for post_ln, by another norm (WikiText-2)",
    arms={name: placed(name) for name in PLACEMENTS},
)
def growth(e: Evidence) -> Iterator[Part]:
    """NG-C1, the norm without embeddings and read-out."""
    for name in SERIES:
        yield at_least(f"{name}: norm at the end over that at first", final_ratio(e[name]), 1.10)
        yield at_least(f"{name}: share of 20 intervals with growth", share_rising(e[name]), 0.9)
    yield above("post_ln: norm at the end over that at first", final_ratio(e["post_ln"]), 1)
    yield shown("post_ln: share of 20 intervals with growth", share_rising(e["post_ln"]))


@claim(
    id="NG-C2",
    tier="S",
    statement="At a constant rate the norm of a language model grows about as the root of the step",
    source="section 3.1, figure 1 (T5, under a rate that falls)",
    published="R² of the root 1.00 for T5",
    arms={name: placed(name) for name in SERIES},
)
def law(e: Evidence) -> Iterator[Part]:
    """NG-C2, on the paper's placement; which law is best is shown."""
    run = e["sublayer_ln"]
    yield at_least("R² of a √t + b", affine_r2(run, "sqrt"), 0.95)
    yield within("free exponent p of a t^p + b", exponent(run), 0.3, 0.8)
    for name, what in (("linear", "t"), ("fourth_root", "t^(1/4)"), ("log", "ln(1 + t)")):
        yield shown(f"R² of a {what} + b", affine_r2(run, name))
    yield shown("pre_ln: R² of a √t + b", affine_r2(e["pre_ln"], "sqrt"))
    yield shown("pre_ln: free exponent", exponent(e["pre_ln"]))


@claim(
    id="NG-C3",
    tier="S",
    statement="The norm grows less under a rate that falls, and hardly under plain descent",
    source="section 3.2; released code",
    published="SGD: 0.001 % in 20 epochs (Penn Treebank), embeddings included",
    arms={
        CONSTANT: scheduled("adamw", 1e-3),
        FALLING: scheduled("adamw", 1e-3, falls=True),
        SGD: scheduled("sgd", 1e-2),
    },
)
def schedules(e: Evidence) -> Iterator[Part]:
    """NG-C3, without decay."""
    norms = e[FALLING].last(NORM).paired(e[CONSTANT].last(NORM))
    yield below("norm at the end, falling less constant rate", norms, 0)
    exponents = exponent(e[FALLING]).paired(exponent(e[CONSTANT]))
    yield below("free exponent, falling less constant rate", exponents, 0)
    for name in (CONSTANT, FALLING):
        yield shown(f"{name}: norm at the end over that at first", final_ratio(e[name]))
        yield shown(f"{name}: free exponent", exponent(e[name]))
    yield below("SGD at 0.01: norm at the end over that at first", final_ratio(e[SGD]), 1.02)


@claim(
    id="NG-C4",
    tier="S",
    statement="The direction of the parameters converges",
    source="section 3.1, figure 1, bottom",
    published="T5: 0.80 at first, 0.997 at the end",
    arms={name: placed(name) for name in PLACEMENTS},
)
def directions(e: Evidence) -> Iterator[Part]:
    """NG-C4; cosines between parameters a 20th of the run apart."""
    key = "dir/cos_prev/encoder"
    for name, arm in e.arms.items():
        last, first = arm.last(key), arm.at(key, arm.n_steps // 20)
        if name in SERIES:
            yield above(f"{name}: last cosine less the first", last.paired(first), 0)
            yield at_least(f"{name}: last cosine", last, 0.97)
        else:
            yield shown(f"{name}: first cosine", first)
            yield shown(f"{name}: last cosine", last)
        yield shown(f"{name}: share of intervals in which it rises", share_rising(arm, key))


@claim(
    id="NG-C5",
    tier="S",
    statement="Updates are misaligned with the parameters, single ones too",
    source="section 3.2, figure 5",
    published="T5: 0.15 at most, near 0 in the end, between checkpoints",
    arms={"sublayer_ln": placed("sublayer_ln"), FALLING: scheduled("adamw", 1e-3, falls=True)},
)
def misaligned(e: Evidence) -> Iterator[Part]:
    """NG-C5; at a constant rate both models are exponentials in t, so they are compared at 1/√t."""
    run = e["sublayer_ln"]
    cosines = run.each("align/theta_delta/encoder", lambda _, x: float(np.median(np.abs(x))))
    yield at_most("median of |cos(theta, delta)| of the updates read", cosines, 0.2)
    yield within("misaligned share", run.last("norm/misaligned_share/encoder"), 0.3, 3)
    fits = [_r2_by_model(e[FALLING], name) for name in ("aligned", "misaligned")]
    yield below("at 1/√t: R², aligned less misaligned", fits[0].paired(fits[1]), 0)
    for name, r2 in zip(("aligned", "misaligned"), fits, strict=True):
        yield shown(f"at 1/√t: R², {name}", r2)
    for name in ("constant", "measured"):
        yield shown(f"at 1/√t: R², steps at right angles, {name}", _r2_by_model(e[FALLING], name))


def _r2_by_model(arm: ArmEvidence, name: str) -> Sample:
    """R^2 of the norm by a model of the dynamics, of each seed."""
    return Sample({seed: _dynamics(arm, seed)[name] for seed in arm.runs})


def _dynamics(arm: ArmEvidence, seed: str) -> Mapping[str, float]:
    from grok.config.rate import rate_factor
    from grok.theory.norm_dynamics import compare_dynamics

    config = arm.runs[seed].config
    rates = np.array([config.lr * rate_factor(config.optim, t) for t in range(arm.n_steps)])
    arm.last(NORM)
    steps, norms = arm.series(NORM, seed)
    _, squares = arm.series("norm/cum_delta_sq/encoder", seed)
    fits = compare_dynamics(steps, norms.astype(np.float64), rates, squares.astype(np.float64))
    return {name: fit.r2 for name, fit in fits.items()}
