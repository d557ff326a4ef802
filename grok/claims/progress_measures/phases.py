"""Three phases of the training, and what the progress measures say before the test loss does.

Section 5 and figures 7, 13 and 14. The excluded and restricted losses of a run are read under the
key frequencies of its last step, as the paper's are.
"""

import math
from collections.abc import Iterator

import numpy as np

from grok.claims.claim import Part, above, at_least, at_most, below, claim, every, ordered, shown
from grok.claims.evidence import ArmEvidence, Evidence, common
from grok.claims.progress_measures.arms import (
    EXCLUDED,
    FIVE,
    RESTRICTED,
    RESTRICTED_ACC,
    THREE,
    boundaries,
    mainline,
    small,
    uniform,
    value_at,
)
from grok.claims.sample import Number, Sample


def _ratio(x: Sample, y: Sample) -> Sample:
    return Sample({seed: x.values[seed] / y.values[seed] for seed in x.values})


def _delay(arm: ArmEvidence, factor: Number) -> Iterator[Part]:
    """Training pairs first, test pairs much later."""
    train, test = arm.onset("train_acc_99"), arm.onset("test_acc_99")
    yield at_most("step of train accuracy 0.99", train, 300)
    yield at_least("step of test accuracy 0.99 / that of training", _ratio(test, train), factor)
    # One that is not reached would make the ratio infinite.
    yield every("step of test accuracy 0.99", test, "reached", math.isfinite)


@claim(
    id="PM-C1a",
    tier="S",
    seeds=THREE,
    statement="Grokking: training pairs are fitted long before test pairs (mod 53)",
    source="section 3; replications",
    published="train accuracy 0.99 at 93, test accuracy 0.9 at 1,637 (a replication)",
    arms={"small": small()},
)
def grokking_small(e: Evidence) -> Iterator[Part]:
    """PM-C1, small preset."""
    yield from _delay(e["small"], 5)


@claim(
    id="PM-C1b",
    tier="F",
    seeds=FIVE,
    statement="Grokking: training pairs are fitted long before test pairs",
    source="section 3, fig. 2",
    published="by 200 and at 10,500",
    arms=mainline(),
)
def grokking(e: Evidence) -> Iterator[Part]:
    """PM-C1, mainline."""
    yield from _delay(e["mainline"], 10)


@claim(
    id="PM-C2",
    tier="F",
    seeds=FIVE,
    statement="The test loss first rises far above that of guessing",
    source="fig. 2, 7",
    published="25.8; 25 to 34 over runs",
    arms=mainline(),
)
def test_loss_rises(e: Evidence) -> Iterator[Part]:
    """PM-C2."""
    arm = e["mainline"]
    highest = arm.each("loss/test", lambda _, v: v.max())
    yield above("largest test loss", highest, 3 * uniform(arm))


@claim(
    id="PM-C3",
    tier="F",
    seeds=FIVE,
    statement="Memorization ends near step 1,400 whatever the seed",
    source="section 5.2, appendix C.2.1",
    published="1,400; by this rule 1,300 on the published curve, 806 to 1,409 in a replication",
    arms=mainline(),
)
def memorization(e: Evidence) -> Iterator[Part]:
    """PM-C3."""
    t = boundaries(e["mainline"])["t_mem"]
    yield every("t_mem", t, "in [800, 1,600]", lambda x: 800 <= x <= 1600)


def _lead(arm: ArmEvidence) -> Sample:
    """Steps by which restricted accuracy 0.5 comes before test accuracy 0.5."""
    return arm.reached("acc/test", 0.5).paired(arm.reached(RESTRICTED_ACC, 0.5))


@claim(
    id="PM-C4a",
    tier="S",
    seeds=THREE,
    statement="Hidden progress: restricted accuracy leads test accuracy (mod 53)",
    source="fig. 13",
    published="",
    arms={"small": small()},
)
def hidden_progress_small(e: Evidence) -> Iterator[Part]:
    """PM-C4, small preset."""
    yield above("steps by which restricted accuracy 0.5 leads", _lead(e["small"]), 0)


@claim(
    id="PM-C4b",
    tier="F",
    seeds=FIVE,
    statement="Hidden progress: restricted accuracy leads test accuracy by thousands of steps",
    source="section 5.1, fig. 7, 13",
    published="6,000 to 7,000 steps",
    arms=mainline(),
)
def hidden_progress(e: Evidence) -> Iterator[Part]:
    """PM-C4, mainline."""
    arm, gaps = e["mainline"], {}
    for seed in arm.runs:
        steps, test, restricted = common(
            arm.series("loss/test", seed), arm.series(RESTRICTED, seed)
        )
        gaps[seed] = float((test - restricted)[steps > 200].min())
    arm.last(RESTRICTED)
    yield at_least("steps by which restricted accuracy 0.5 leads", _lead(arm), 1000)
    yield above("smallest test loss - restricted loss after 200", Sample(gaps), 0)


@claim(
    id="PM-C5",
    tier="F",
    seeds=FIVE,
    statement="Excluded loss falls, rises and levels off above that of guessing",
    source="section 5.1, fig. 7",
    published="0.311 at 1,300; 13.5 at 10,300; 5.97 at the end (5.7 to 14.6 in other runs)",
    arms=mainline(),
)
def excluded_is_u_shaped(e: Evidence) -> Iterator[Part]:
    """PM-C5."""
    arm = e["mainline"]
    yield below("smallest excluded loss", arm.each(EXCLUDED, lambda _, v: v.min()), 1)
    later = arm.each(EXCLUDED, lambda _, v: v[v.argmin() :].max())
    yield above("largest excluded loss after that", later, uniform(arm))
    yield above("excluded loss at the end", arm.last(EXCLUDED), uniform(arm))


@claim(
    id="PM-C6",
    tier="F",
    seeds=FIVE,
    statement="The circuit is formed before cleanup",
    source="section 5.2, fig. 7, 13",
    published="restricted accuracy 0.96 and test accuracy 0.5 at 9,400",
    arms=mainline(),
)
def formed_before_cleanup(e: Evidence) -> Iterator[Part]:
    """PM-C6."""
    arm = e["mainline"]
    t = boundaries(arm)["t_form"].values
    at = {
        key: Sample({seed: value_at(arm, key, seed, t[seed]) for seed in arm.runs})
        for key in (RESTRICTED_ACC, "acc/test")
    }
    yield at_least("restricted accuracy at t_form", at[RESTRICTED_ACC], 0.9)
    yield at_most("test accuracy at t_form", at["acc/test"], 0.6)


def _order(arm: ArmEvidence) -> Iterator[Part]:
    """Three phases, one after another.

    The rules of the boundaries look for each only after the one before. What is compared here is
    found without them: the smallest excluded loss and the settling of the norm in the whole run.
    """
    t = boundaries(arm)
    for name in ("t_form", "t_clean"):
        yield every(name, t[name], "reached", math.isfinite)
    ends = {
        "smallest excluded loss": arm.each(EXCLUDED, lambda s, v: s[v.argmin()]),
        "test loss below that of guessing": t["t_form"],
        "norm settled": arm.each("norm/squared", _settled),
    }
    yield ordered("median steps", ends)
    yield shown("t_mem", t["t_mem"])


def _settled(steps: np.ndarray, values: np.ndarray) -> float:
    """First step from the largest value on at which it is within 5 % of the last; NaN if one is."""
    peak = int(values.argmax())
    near = np.flatnonzero(values[peak:] <= 1.05 * values[-1])
    return float(steps[peak + near[0]]) if near.size else math.nan


@claim(
    id="PM-C7a",
    tier="S",
    seeds=THREE,
    statement="Memorization, circuit formation, cleanup, in this order (mod 53)",
    source="section 5.2",
    published="",
    arms={"small": small()},
)
def order_small(e: Evidence) -> Iterator[Part]:
    """PM-C7, small preset."""
    yield from _order(e["small"])


@claim(
    id="PM-C7b",
    tier="F",
    seeds=FIVE,
    statement="Memorization, circuit formation, cleanup, in this order",
    source="section 5.2, fig. 7",
    published="1,400, 9,400, 14,000; by these rules 1,300, 9,400, 13,800",
    arms=mainline(),
)
def order(e: Evidence) -> Iterator[Part]:
    """PM-C7, mainline."""
    yield from _order(e["mainline"])


def _drops(steps: np.ndarray, values: np.ndarray, first: float, last: float) -> np.ndarray:
    """Fall over every 1,000 steps that lie within an interval."""
    at = dict(zip(steps.tolist(), values.tolist(), strict=True))
    starts = [s for s in at if first <= s and s + 1000 <= last and s + 1000 in at]
    return np.array([at[s] - at[s + 1000] for s in starts])


@claim(
    id="PM-C8",
    tier="F",
    seeds=FIVE,
    statement="The weights' squared norm rises, then falls, sharply in cleanup",
    source="section 5.2, fig. 7",
    published="1,783, 3,660 at 900, 955; 460 per 1,000 steps in cleanup, 125 before",
    arms=mainline(),
)
def squared_norm(e: Evidence) -> Iterator[Part]:
    """PM-C8."""
    arm, key = e["mainline"], "norm/squared"
    yield at_least("largest / initial", arm.each(key, lambda _, v: v.max() / v[0]), 1.5)
    yield at_most("final / largest", arm.each(key, lambda _, v: v[-1] / v.max()), 0.4)
    t, ratio = boundaries(arm), {}
    for seed in arm.runs:
        mem, form, clean = (t[name].values[seed] for name in ("t_mem", "t_form", "t_clean"))
        cleanup = _drops(*arm.series(key, seed), form, clean)
        before = _drops(*arm.series(key, seed), mem + 1000, form)
        is_known = cleanup.size > 0 and before.size > 0
        ratio[seed] = float(cleanup.max() / before.mean()) if is_known else math.nan
    yield at_least("largest fall in cleanup / mean fall before, per 1,000", Sample(ratio), 2)


@claim(
    id="PM-C9",
    tier="F",
    seeds=FIVE,
    statement="Embedding and read-out become sparse in frequencies, sharply in cleanup",
    source="section 5.1, fig. 7, table 5",
    published="Gini of W_E 0.55 to 0.80, of W_L 0.68 to 0.91",
    arms=mainline(),
)
def sparsity(e: Evidence) -> Iterator[Part]:
    """PM-C9."""
    arm = e["mainline"]
    t = boundaries(arm)
    for name, bound in (("W_E", 0.55), ("W_L", 0.68)):
        key = f"progress/gini/{name}"
        yield at_least(f"Gini of {name} at the end", arm.last(key), bound)
        rises = {}
        for seed in arm.runs:
            mem, form, clean = (
                value_at(arm, key, seed, t[name].values[seed])
                for name in ("t_mem", "t_form", "t_clean")
            )
            rises[seed] = (clean - form) - (form - mem)
        yield above(f"Gini of {name}: rise in cleanup - rise before", Sample(rises), 0)
    for name, sample in t.items():
        yield shown(name, sample)
