"""ET-D1 to D3: the group S3, and addition mod 53 by concatenated embeddings."""

import math
from collections.abc import Iterator

import numpy as np

from grok.claims.claim import Arm, Part, above, at_least, at_most, below, claim, shown, within
from grok.claims.effective_theory.arms import n_reached, t_acc
from grok.claims.evidence import ArmEvidence, Evidence
from grok.claims.sample import Sample

ELEVEN = tuple(range(11))
"""Seeds of figure 18, which has as many."""

ONE = (2,)
"""Seed of the published run."""


@claim(
    id="ET-D1",
    tier="R",
    seeds=ELEVEN,
    statement="S3: more pairs, more seeds that generalise; the predicted accuracy is a lower bound",
    source="appendix H, figure 18",
    published="a threshold near half of the pairs",
    arms={
        f"{n} pairs": Arm(
            sweep="effective_theory/permutation_size", flags=(f"--toy.n_train={n}",), n_steps=5000
        )
        for n in (12, 24, 28)
    },
)
def permutations(e: Evidence) -> Iterator[Part]:
    """ET-D1."""
    reached = {n: t_acc(e[f"{n} pairs"], "test") for n in (12, 28)}
    share = {n: n_reached(t) / len(t.values) for n, t in reached.items()}
    train = e["24 pairs"].last("acc/train").values
    test = t_acc(e["24 pairs"], "test").values
    both = [seed for seed, t in test.items() if math.isfinite(t) and train[seed] == 1]
    yield at_least("24 pairs: seeds that generalise with training accuracy 1", len(both), 1)
    yield above("share that generalises, 28 less 12 pairs", share[28] - share[12], 0)
    excess = [
        predicted - e[name].last("repr/acc").values[seed]
        for name in e.arms
        for seed, predicted in e[name].last("repr/predicted_acc").values.items()
    ]
    kept = float((np.array(excess) <= 1 / 36 + 1e-9).mean())
    yield at_least("share of runs with predicted - accuracy ≤ 1/36", kept, 0.9)


def _decay(value: float, n_steps: int) -> Arm:
    flags = (f"--optim.weight_decay={value}",)
    return Arm(sweep="effective_theory/concatenation_decay", flags=flags, n_steps=n_steps)


@claim(
    id="ET-D2",
    tier="R",
    seeds=ONE,
    statement="Decay alone turns grokking into comprehension (addition mod 53)",
    source="github.com/okitouni/simple-grokking",
    published="99 % at 14 and 5,000 steps with decay 0.03, at 43 and 120 with decay 5",
    arms={"decay 0.03": _decay(0.03, 10_000), "decay 5": _decay(5.0, 1000)},
)
def decay_decides(e: Evidence) -> Iterator[Part]:
    """ET-D2."""
    slow, fast = e["decay 0.03"], e["decay 5"]
    train, test = (fast.reached(f"acc/{split}", 0.99) for split in ("train", "test"))
    yield at_most("decay 0.03: step of training accuracy 0.99", slow.reached("acc/train", 0.99), 50)
    yield within(
        "decay 0.03: step of test accuracy 0.99", slow.reached("acc/test", 0.99), 1500, 1e4
    )
    yield at_most("decay 5: step of test accuracy 0.99", test, 300)
    yield below("decay 5: step of test over step of train", test.median / train.median, 6)


@claim(
    id="ET-D3",
    tier="R",
    seeds=ONE,
    statement="Once it has generalised, few components hold the embedding",
    source="section 4.2, figure 7, left",
    published="exp(S) rises, then falls",
    arms={"decay 0.03": _decay(0.03, 10_000)},
)
def components(e: Evidence) -> Iterator[Part]:
    """ET-D3."""
    run = e["decay 0.03"]
    yield shown("step of test accuracy 0.99", run.reached("acc/test", 0.99))
    top = Sample({seed: _risen(run, seed) for seed in run.runs})
    yield above("top-2 share at the end less at memorization", top, 0)
    fallen = run.each("repr/effective_dim", lambda _, v: v[-1] / v.max())
    yield below("exp(S) at the end over its largest", fallen, 0.8)


def _risen(run: ArmEvidence, seed: str) -> float:
    """Rise of the top-2 share since the training accuracy was 0.99; NaN if it never was."""
    began = run.reached("acc/train", 0.99).values[seed]
    steps, share = run.series("repr/top2_share", seed)
    after = share[steps >= began]
    return float(share[-1] - after[0]) if math.isfinite(began) and after.size else math.nan
