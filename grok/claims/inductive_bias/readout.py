"""Readout scale and the rule for the learning rate (figure 5)."""

from collections.abc import Callable, Iterator

import numpy as np

from grok.claims.claim import Arm, Part, at_least, at_most, below, claim, ordered, shown
from grok.claims.evidence import Evidence, NotRun, common
from grok.claims.inductive_bias.arms import ALPHAS, INVERSE, UPDATE_NORMS, readout, reduced_readout
from grok.claims.inductive_bias.optimisation import early_update
from grok.claims.sample import Sample, rank_correlation


def _spread(norms: dict[str, Sample]) -> Sample:
    """Largest over smallest, of each seed."""
    found = {}
    for seed in next(iter(norms.values())).values:
        values = np.array([sample.values[seed] for sample in norms.values()])
        found[seed] = float(values.max() / values.min())
    return Sample(found)


def _falling_loss(loss: dict[str, Sample], when: str) -> Iterator[Part]:
    means = {f"alpha = {alpha}": loss[alpha].mean for alpha in reversed(ALPHAS)}
    yield ordered(f"mean test loss at {when}, alpha falling", means)
    yield at_most("loss(1.5) / loss(0.5)", loss["1.5"].mean / loss["0.5"].mean, 0.5)


def _update_arms(rule: str) -> dict[str, Arm]:
    return {alpha: readout(alpha, rule, 50, *UPDATE_NORMS) for alpha in ALPHAS}


def _two_rules(arm: Callable[[str, str], Arm]) -> dict[str, Arm]:
    return {
        f"{rule}/{alpha}": arm(alpha, rule) for rule in (INVERSE, "constant") for alpha in ALPHAS
    }


@claim(
    id="IB-24",
    tier="S",
    statement="With eta_0/alpha^2 a larger readout scale is slower, by updates that differ",
    source="fig. 5a, 5b",
    published="alpha 0.5: 2,021 [1,245, 2,150]; update norms max/min 6.7",
    arms={
        **{alpha: readout(alpha, INVERSE, 2200) for alpha in ("0.5", "1.0", "1.5")},
        **{f"{alpha}, 50 steps": arm for alpha, arm in _update_arms(INVERSE).items()},
    },
)
def inverse_square(e: Evidence) -> Iterator[Part]:
    """IB-24."""
    fast = e["0.5"].reached("loss/test", 0.05, "below")
    yield at_most("alpha = 0.5: step of test loss 0.05", fast, 2200)
    yield at_least("alpha = 1: test loss at 2,200", e["1.0"].at("loss/test", 2200), 18)
    yield at_least("alpha = 1.5: test loss at 2,200", e["1.5"].at("loss/test", 2200), 20)
    norms = {alpha: early_update(e, f"{alpha}, 50 steps") for alpha in ALPHAS}
    yield at_least("max / min over alpha of the mean update norm, 1 to 50", _spread(norms), 4)


@claim(
    id="IB-25a",
    tier="S",
    statement="With a constant rate, early updates do not depend on the readout scale",
    source="fig. 5d",
    published="max/min 1.06",
    arms=_update_arms("constant"),
)
def constant_updates(e: Evidence) -> Iterator[Part]:
    """IB-25, first part."""
    norms = {alpha: early_update(e, alpha) for alpha in ALPHAS}
    yield at_most("max / min over alpha of the mean update norm, 1 to 50", _spread(norms), 1.15)


@claim(
    id="IB-25b",
    tier="F",
    statement="With a constant rate, a larger readout scale has the lower test loss at 5,000",
    source="fig. 5c",
    published="21.0, 18.1, 12.7, 7.2, 5.3 for alpha 0.5 to 1.5",
    arms={alpha: readout(alpha, "constant", 5000) for alpha in ALPHAS},
)
def constant_losses(e: Evidence) -> Iterator[Part]:
    """IB-25, second part."""
    yield from _falling_loss({alpha: e[alpha].at("loss/test", 5000) for alpha in ALPHAS}, "5,000")


@claim(
    id="IB-25c",
    tier="R",
    statement="The same on the smaller task, at 60 % of the onset of alpha = 1",
    source="new",
    published="",
    arms={alpha: reduced_readout(alpha, "constant") for alpha in ALPHAS},
)
def reduced_losses(e: Evidence) -> Iterator[Part]:
    """IB-25, reduced task: at 60 % of the median t_test_99 of alpha = 1."""
    t = e["1.0"].onset("test_acc_99")
    if not np.isfinite(t.array).all():
        raise NotRun("alpha = 1 does not generalise within the horizon, so no step is 60 % of it")
    step = 25 * round(0.6 * t.median / 25)
    yield shown("alpha = 1: step of test accuracy 0.99", t)
    yield from _falling_loss({a: e[a].at("loss/test", step) for a in ALPHAS}, f"{step:,}")


def sign_flip(e: Evidence) -> Iterator[Part]:
    """IB-26."""
    for rule in ("inverse_square_readout", "constant"):
        t = {alpha: e[f"{rule}/{alpha}"].onset("test_acc_99") for alpha in ALPHAS}
        correlation = rank_correlation(
            (float(alpha) for alpha in ALPHAS), (sample.median for sample in t.values())
        )
        what = f"rank correlation of alpha with median t, rule {rule}"
        if rule == "constant":
            yield at_most(what, correlation, -0.7)
        else:
            yield at_least(what, correlation, 0.9)
        for alpha, sample in t.items():
            yield shown(f"{rule}, alpha = {alpha}", sample)


IB_26A = claim(
    id="IB-26a",
    tier="F",
    statement="The effect of the readout scale changes sign with the rule for the rate",
    source="fig. 5a, 5c",
    published="test loss 0.01 of the mean curve, eta_0/alpha^2: 2,021, 5,531, 7,807, never, never",
    arms=_two_rules(lambda alpha, rule: readout(alpha, rule, 10_000)),
)(sign_flip)


IB_26B = claim(
    id="IB-26b",
    tier="R",
    statement="The same on the smaller task",
    source="new",
    published="",
    arms=_two_rules(reduced_readout),
)(sign_flip)


DESIGN = {
    "eta_0, eta*lambda held": ("constant", "lambda"),
    "eta_0/alpha^2, lambda held": (INVERSE, "lambda"),
    "eta_0/alpha^2, eta*lambda held": (INVERSE, "eta_lambda"),
    "eta_0, eta*lambda/alpha^2": ("constant", "eta_lambda_alpha2"),
}
"""Rate x decay per step, each constant or over alpha^2. The paper ran the first two; a constant
rate cannot tell lambda held from eta*lambda held, so the fourth cell changes the decay alone."""


@claim(
    id="IB-27a",
    tier="R",
    statement="eta_0/alpha^2 with eta*lambda held lies between the two pure rules",
    source="new: the missing cells of the 2 x 2 design",
    published="",
    arms={
        f"{name}/{alpha}": reduced_readout(alpha, rule, hold)
        for name, (rule, hold) in DESIGN.items()
        for alpha in ALPHAS
    },
)
def confound(e: Evidence) -> Iterator[Part]:
    """IB-27, first part: the rate alone lies between the two pure rules."""
    t = {name: arm.onset("test_acc_99") for name, arm in e.arms.items()}
    constant, inverse, rate, _ = DESIGN
    for alpha in ALPHAS:
        if alpha == "1.0":
            continue
        pure = [t[f"{constant}/{alpha}"], t[f"{inverse}/{alpha}"]]
        low, high = sorted(pure, key=lambda sample: sample.median)
        yield ordered(
            f"alpha = {alpha}: median step of test accuracy 0.99",
            {"faster pure rule": low, rate: t[f"{rate}/{alpha}"], "slower pure rule": high},
            "≤",
        )
    for name, sample in t.items():
        rule, _, alpha = name.rpartition("/")
        yield shown(f"{rule}, alpha = {alpha}", sample)


@claim(
    id="IB-27b",
    tier="S",
    statement="Softmax temperature 1/alpha trains as readout scale alpha does",
    source="section 3.1",
    published="equivalent (no numbers)",
    arms={
        **{
            f"alpha = {alpha}": readout(alpha, "constant", 200, "--dtype=float64")
            for alpha in ("0.5", "1.5")
        },
        **{
            f"tau = 1/{alpha}": Arm(
                sweep="inductive_bias/temperature",
                flags=(f"--model.temperature={tau}", "--dtype=float64"),
                n_steps=200,
            )
            for alpha, tau in (("0.5", "2.0"), ("1.5", repr(1 / 1.5)))
        },
    },
)
def temperature(e: Evidence) -> Iterator[Part]:
    """IB-27, second part: softmax temperature 1 / alpha is readout scale alpha."""
    for alpha in ("0.5", "1.5"):
        scaled, cooled = e[f"alpha = {alpha}"], e[f"tau = 1/{alpha}"]
        gaps = {}
        for seed in scaled.runs:
            series = (arm.series("loss/test", seed) for arm in (scaled, cooled))
            steps, x, y = common(*series)
            if scaled.n_steps not in steps:
                raise NotRun(f"seed {seed}: no common reading of loss/test at {scaled.n_steps}")
            gaps[seed] = float(np.max(np.abs(x - y) / np.abs(x)))
        yield below(
            f"alpha = {alpha}: largest relative gap of test loss to 200, float64",
            Sample(gaps),
            1e-6,
        )
