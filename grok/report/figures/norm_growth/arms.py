"""Runs that the figures of Merrill et al. 2021 are drawn from."""

from grok.claims.norm_growth.arms import PLACEMENTS, placed
from grok.report.figures.base import Arm


def placements(*flags: str) -> list[Arm]:
    """One arm for each place of the norm, all with the same flags."""
    return [Arm.of(name, placed(name, *flags)) for name in PLACEMENTS]
