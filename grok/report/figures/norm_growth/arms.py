"""Runs that the figures of Merrill et al. 2021 are drawn from."""

from grok.claims import claim
from grok.claims.norm_growth.arms import PLACEMENTS, placed
from grok.report.figures.base import Arm


def arm(label: str, runs: claim.Arm, n_steps: int | None = None) -> Arm:
    """The runs of a claim under a label, up to the claim's steps unless others are given."""
    return Arm(label, runs.sweep, runs.flags, runs.n_steps if n_steps is None else n_steps)


def placements(*flags: str) -> list[Arm]:
    """One arm for each place of the norm, all with the same flags."""
    return [arm(name, placed(name, *flags)) for name in PLACEMENTS]
