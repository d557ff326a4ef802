"""Learning rate and weight decay (figure 4)."""

import math
from collections.abc import Iterator

from grok.claims.claim import Part, at_least, at_most, claim, every, ordered, shown
from grok.claims.evidence import Evidence
from grok.claims.inductive_bias.arms import DECAYS, RATES, UPDATE_NORMS, learning_rate, weight_decay
from grok.claims.sample import Sample, mean_ratio


def early_update(e: Evidence, name: str) -> Sample:
    """Mean norm of updates 1 to 50."""
    return e[name].mean_over_steps("norm/delta/all", 1, 50)


@claim(
    id="IB-22a",
    tier="S",
    statement="With eta*lambda fixed, early updates grow with the learning rate",
    source="fig. 4b",
    published="0.394, 0.978, 1.365, 1.825",
    arms={rate: learning_rate(rate, 50, *UPDATE_NORMS) for rate in RATES},
)
def update_by_rate(e: Evidence) -> Iterator[Part]:
    """IB-22, first part."""
    norms = {name: early_update(e, name) for name in e.arms}
    yield ordered("mean update norm of steps 1 to 50", norms)
    ratio = norms["1.0e-2"].median / norms["1.0e-3"].median
    yield at_least("ratio of eta = 1e-2 to 1e-3", ratio, 3)


@claim(
    id="IB-22b",
    tier="F",
    statement="With eta*lambda fixed, a larger learning rate generalises sooner",
    source="fig. 4a",
    published="test loss 0.01 of the mean curve at 7,807, 7,740, 6,582, 4,470",
    arms={rate: learning_rate(rate, 10_000) for rate in RATES},
)
def onset_by_rate(e: Evidence) -> Iterator[Part]:
    """IB-22, second part."""
    t = {name: e[name].onset("test_acc_99") for name in RATES}
    slow = t["1.0e-3"]
    yield at_most("mean t(1e-2) / mean t(1e-3)", mean_ratio(t["1.0e-2"], slow), 0.7)
    yield at_most("mean t(5e-3) / mean t(1e-3)", mean_ratio(t["5.0e-3"], slow), 1.0)
    for name, sample in t.items():
        yield shown(f"eta = {name}: step of test accuracy 0.99", sample)


@claim(
    id="IB-23a",
    tier="S",
    statement="More weight decay gives a lower peak of the test loss",
    source="fig. 4c",
    published="45.2, 40.3, 32.9, 29.4, 26.9, 23.3 for lambda 0.1 to 1.5",
    arms={decay: weight_decay(decay, 1500) for decay in DECAYS},
)
def peak_by_decay(e: Evidence) -> Iterator[Part]:
    """IB-23, first part."""
    peak = {name: e[name].each("loss/test", lambda _, v: v.max()) for name in reversed(DECAYS)}
    yield ordered("peak test loss, lambda falling", peak)


@claim(
    id="IB-23b",
    tier="F",
    statement="More weight decay generalises sooner",
    source="fig. 4c",
    published="never for lambda up to 0.5; 9,787, 7,807, 6,395 (mean curve, loss 0.01) above",
    arms={decay: weight_decay(decay, 10_000) for decay in DECAYS},
)
def onset_by_decay(e: Evidence) -> Iterator[Part]:
    """IB-23, second part."""
    for name in ("0.1", "0.2", "0.5"):
        t = e[name].reached("loss/test", 1.0, "below")
        yield every(f"lambda = {name}: step of test loss 1", t, "not by 10,000", math.isinf)
    names = ("1.5", "1.0", "0.75")
    yield ordered(
        "median step of test accuracy 0.99", {n: e[n].onset("test_acc_99") for n in names}
    )
    yield from peak_by_decay.judge(e)
