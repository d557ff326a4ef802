"""The runs of the figures: the mainline run and its seeds, and the network that one ends with."""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from grok.checkpoints import checkpoint_steps
from grok.claims.evidence import ArmEvidence
from grok.report.figures.base import Arm, Source
from grok.report.snapshot import stored_snapshot

if TYPE_CHECKING:
    from grok.measures.snapshot import Snapshot
    from grok.runs import Run

CURVE_STEPS, END = 20_000, 40_000
"""Steps of the curves; the step at which the paper takes the network apart."""

_SWEEP = "progress_measures/seeds"


class Ended(NamedTuple):
    """A network near its end."""

    step: int
    """Updates done."""
    snapshot: "Snapshot"
    """The network, all pairs of which can be looked at."""


def mainline(n_steps: int) -> Arm:
    """Addition mod 113 from 30 % of the pairs."""
    return Arm("mod 113, 30 % of the pairs", _SWEEP, n_steps=n_steps)


def mainline_only(source: Source) -> Source:
    """The same source with seed 0 alone, or with the seeds that were asked for."""
    return replace(source, seeds=source.seeds or (0,))


def one_run(source: Source) -> ArmEvidence | None:
    """The mainline run at its end: seed 0, or the first of those asked for."""
    return replace(source, seeds=(source.seeds or (0,))[:1]).arm(mainline(END))


def ended(source: Source) -> Ended | None:
    """The last network up to step 40,000 that is stored of the mainline run, None without one."""
    evidence = one_run(source)
    if evidence is None:
        return None
    (run,) = evidence.runs.values()
    try:
        return _last_network(run)
    except ValueError as error:
        seed = next(iter(evidence.runs))
        again = f"grok rm {run.key}; grok sweep run {_SWEEP} --n_steps={END} --seeds={seed}"
        source.lacks(f"the network of seed {seed}: {error}", again)
        return None


def _last_network(run: "Run") -> Ended:
    """The network of the last checkpoint.

    Raises:
        ValueError: If there is none, or it is damaged.
    """
    steps = [step for step in checkpoint_steps(run) if step <= END]
    if not steps:
        raise ValueError(f"{run.key} has no checkpoint")
    return Ended(steps[-1], stored_snapshot(run, steps[-1]))
