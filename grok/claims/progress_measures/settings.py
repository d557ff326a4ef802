"""What data, weight decay and numerical precision change (sections 5.3, appendices C.2, D)."""

import math
from collections.abc import Iterator

import numpy as np

from grok.claims.claim import Arm, Part, at_least, at_most, claim, every, ordered, within
from grok.claims.evidence import ArmEvidence, Evidence
from grok.claims.progress_measures.arms import (
    EXCLUDED,
    FIVE,
    ONE,
    THREE,
    boundaries,
    mainline,
    medium,
    small,
)
from grok.claims.sample import Sample


@claim(
    id="PM-C19",
    tier="S",
    seeds=ONE,
    statement="Without weight decay there is no grokking",
    source="section 5.3, appendix D.1",
    published="test accuracy peaks at 2.5 % (a replication)",
    arms={
        "no decay": Arm(
            sweep="progress_measures/decay", flags=("--optim.weight_decay=0.0",), n_steps=10_000
        )
    },
)
def no_decay(e: Evidence) -> Iterator[Part]:
    """PM-C19."""
    arm = e["no decay"]
    yield at_most("test accuracy at 10,000", arm.last("acc/test"), 0.2)
    risen = arm.each(EXCLUDED, lambda _, v: v[-1] / v.min())
    yield at_most("excluded loss at the end / its minimum", risen, 2)


@claim(
    id="PM-C20",
    tier="S",
    seeds=ONE,
    statement="The fewer pairs, the later a network generalises",
    source="appendix C.2.2",
    published="test loss 1 at 740, 2,600, 7,600 for 50, 40, 30 %",
    arms={f"{fraction} of the pairs": medium(fraction) for fraction in ("0.5", "0.4", "0.3")},
)
def less_data(e: Evidence) -> Iterator[Part]:
    """PM-C20; at 30 % the run is followed for 5,000 steps only."""
    t = {name: arm.onset("test_acc_99") for name, arm in e.arms.items()}
    yield ordered("step of test accuracy 0.99", t)


@claim(
    id="PM-C21",
    tier="S",
    seeds=THREE,
    statement="With most of the pairs there is no delay",
    source="appendix C.2.2",
    published="test loss 1 at 160 to 180, train loss 0.1 at 130 to 220",
    arms={
        f"{fraction} of the pairs": Arm(
            sweep="progress_measures/fraction_large",
            flags=(f"--data.train_fraction={fraction}",),
            n_steps=500,
        )
        for fraction in ("0.8", "0.9")
    },
)
def much_data(e: Evidence) -> Iterator[Part]:
    """PM-C21."""
    for name, arm in e.arms.items():
        train = arm.reached("loss/train", 1.0, "below")
        delay = arm.reached("loss/test", 1.0, "below").paired(train)
        yield at_most(f"{name}: steps from train loss 1 to test loss 1", delay, 100)


@claim(
    id="PM-C22",
    tier="S",
    seeds=THREE,
    statement="The more weight decay, the sooner (mod 53)",
    source="section 5.3, appendix D.1",
    published="",
    arms={
        "decay 3": small("3.0"),
        "decay 1": small("1.0"),
        "decay 0.3": small("0.3", 10_000),
    },
)
def more_decay(e: Evidence) -> Iterator[Part]:
    """PM-C22."""
    t = {name: arm.onset("test_acc_99") for name, arm in e.arms.items()}
    yield ordered("median step of test accuracy 0.99", t)


@claim(
    id="PM-C23",
    tier="F",
    seeds=FIVE,
    statement="Loss, margin and norm come to an equilibrium",
    source="section 5.2; replications",
    published="margin 17.1; train loss 9.94e-8; squared norm 955",
    arms=mainline(40_000),
)
def equilibrium(e: Evidence) -> Iterator[Part]:
    """PM-C23."""
    arm = e["mainline"]
    yield within("mean logit margin", arm.last("margin/mean"), 16.7, 17.5)
    yield within("train loss", arm.last("loss/train"), 0.88e-7, 1.0e-7)
    yield within("squared norm", arm.last("norm/squared"), 830, 1000)


def _spikes(arm: ArmEvidence) -> Sample:
    """Readings after cleanup with a training loss above ten times the least one before."""
    clean, found = boundaries(arm)["t_clean"].values, {}
    for seed in arm.runs:
        steps, values = arm.series("loss/train", seed)
        least = np.minimum.accumulate(values)
        after = steps > clean[seed]
        is_known = math.isfinite(clean[seed]) and np.isfinite(values).all()
        found[seed] = float((values > 10 * least)[after].sum()) if is_known else math.nan
    return Sample(found)


@claim(
    id="PM-C24",
    tier="F",
    seeds=THREE,
    statement="A float32 loss has late spikes, a float64 loss has none",
    source="appendix D.2; replications",
    published="86 excursions above 1e-3 in a float32 run",
    arms={
        dtype: Arm(
            sweep="progress_measures/precision",
            flags=(f"--optim.loss_dtype={dtype}",),
            n_steps=40_000,
        )
        for dtype in ("float64", "float32")
    },
)
def precision(e: Evidence) -> Iterator[Part]:
    """PM-C24."""
    yield every("float64: spikes after cleanup", _spikes(e["float64"]), "= 0", lambda x: x == 0)
    yield at_least("float32: spikes after cleanup", _spikes(e["float32"]), 1)
