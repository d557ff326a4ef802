"""The order of placements on a smaller task, with RMSNorm and with depth (figures 7, 8)."""

import math
from collections.abc import Iterator

from grok.claims.claim import Arm, Part, at_least, at_most, claim, ordered, shown
from grok.claims.evidence import Evidence
from grok.claims.inductive_bias.arms import reduced
from grok.claims.inductive_bias.placement import early, no_benefit


def _other(sweep: str, norm: str, n_steps: int) -> Arm:
    return Arm(sweep=f"inductive_bias/{sweep}", flags=(f"--model.norm={norm}",), n_steps=n_steps)


@claim(
    id="IB-17",
    tier="R",
    statement="The order of placements holds on a smaller task (p = 59, half of the pairs)",
    source="new",
    published="",
    arms={
        "No LN": reduced("none", 4000),
        **{name: reduced(name, 4000) for name in ("M", "M+A*", "A^v", "A^qk")},
    },
)
def reduced_order(e: Evidence) -> Iterator[Part]:
    """IB-17."""
    t = {name: arm.onset("test_acc_99") for name, arm in e.arms.items()}
    off = min(t["No LN"].median, t["No LN"].horizon)  # which it exceeds if it is censored
    yield at_most("median(M) / median(No LN)", t["M"].median / off, 0.5)
    for x, y in (("M", "M+A*"), ("A^v", "No LN")):
        yield ordered(f"median step of test accuracy 0.99, {x} and {y}", {x: t[x], y: t[y]}, "≤")
    slow = t["A^qk"]
    yield at_least("A^qk: the same", slow, t["No LN"].median, "(No LN), or never")


@claim(
    id="IB-31",
    tier="S",
    statement="RMSNorm in the same places gives the same order",
    source="fig. 7",
    published="test loss 1 at about 600 (M), 5,700 (A*), 7,220 (No LN)",
    arms={
        "M": _other("rmsnorm", "M", 1300),
        "A*": _other("rmsnorm", "A*", 2000),
        "No LN": _other("rmsnorm", "none", 1300),
    },
)
def rms(e: Evidence) -> Iterator[Part]:
    """IB-31."""
    yield from early(e)
    yield from no_benefit(e)


@claim(
    id="IB-32",
    tier="F",
    statement="Depth 3 at width 64 gives the same order",
    source="fig. 8",
    published="900, 1,550, 4,200, 6,500 (read off the plot)",
    arms={
        "No LN": _other("depth", "none", 10_000),
        **{name: _other("depth", name, 10_000) for name in ("M", "M+A*", "A*")},
    },
)
def depth_order(e: Evidence) -> Iterator[Part]:
    """IB-32."""
    t = {name: arm.reached("loss/test", 1.0, "below") for name, arm in e.arms.items()}
    names = ("M", "M+A*", "A*", "No LN")
    # A censored mean is a lower bound, which orders the last placement only.
    mean = {name: math.nan if t[name].n_censored else t[name].mean for name in names[:-1]}
    yield ordered("mean step of test loss 1", mean | {names[-1]: t[names[-1]].mean})
    for name in names:
        yield shown(f"{name}: step of test loss 1", t[name])
