"""The panels that the figures of the paper are made of: curves, bars of onset times, scatters."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from grok.claims.claim import Arm as ClaimArm
from grok.claims.evidence import ArmEvidence, NotRun, common
from grok.claims.inductive_bias.arms import layernorm
from grok.report.figures.base import Arm, Source
from grok.report.figures.draw import (
    draw_seeds,
    log_steps,
    mark_published,
    say_missing,
    style_of,
)

N_STEPS = 10_000
"""Updates that every figure of the paper shows."""

_MARKS = ("o", "s", "^", "v")
"""Of the placements in scatters, beside their colours."""

Points = Mapping[str, Mapping[int, float]]
"""Published values by name of the curve, then by step."""


class Drawn(NamedTuple):
    """An arm with stored runs."""

    at: int
    """Number of its colour and mark, whatever other arms are stored."""
    name: str
    """In the tables of published values."""
    label: str
    """In the legend."""
    evidence: ArmEvidence
    """Its runs."""


def stored(source: Source, arms: Mapping[str, ClaimArm], label: str = "{}") -> list[Drawn]:
    """Those of some arms that are stored, by name; ``label`` is the legend's, ``{}`` the name."""
    found = []
    for at, (name, arm) in enumerate(arms.items()):
        text = label.format(name)
        evidence = source.arm(Arm.of(text, arm))
        if evidence is not None:
            found.append(Drawn(at, name, text, evidence))
    return found


def placements(*names: str, sweep: str = "layernorm") -> dict[str, ClaimArm]:
    """Runs of the full length by placement of the norm; of another sweep of the same axis."""
    arms = {name: layernorm("none" if name == "No LN" else name, N_STEPS) for name in names}
    return {name: replace(arm, sweep=f"inductive_bias/{sweep}") for name, arm in arms.items()}


def curves(
    axes: Axes,
    source: Source,
    drawn: Sequence[Drawn],
    key: str,
    published: Points | None = None,
    first: int = 50,
) -> None:
    """A curve for each arm over the steps from ``first`` on, published points in its colour."""
    there = [a for a in drawn if draw_seeds(axes, a.evidence, key, a.at, a.label, source)]
    for arm in there:
        _mark(axes, (published or {}).get(arm.name, {}), arm.at)
    if not there:
        say_missing(axes)
        return
    log_steps(axes)
    axes.set_xlim(0.8 * first, 1.1 * N_STEPS)


def _mark(axes: Axes, points: Mapping[int, float], at: int) -> None:
    """Published points; three or more are joined, as they follow the curve."""
    if len(points) > 2:
        mark_published(axes, list(points), list(points.values()), "_published", at)
    else:
        for step, value in points.items():
            mark_published(axes, [step], [value], "_published", at)
    if points and "published" not in axes.get_legend_handles_labels()[1]:
        mark_published(axes, [], [])


def losses(
    axes: Axes,
    source: Source,
    drawn: Sequence[Drawn],
    times: Mapping[str, int],
    threshold: float = 0.01,
    published: Points | None = None,
) -> None:
    """Test loss over the steps, with the published times at which it reaches the threshold.

    Losses below 1e-3 are off the axes.
    """
    curves(axes, source, drawn, "loss/test", published)
    if axes.lines:
        for arm in drawn:
            _mark(axes, {int(times[arm.name]): threshold} if arm.name in times else {}, arm.at)
        axes.axhline(threshold, color="#7F7F7F", lw=0.8, ls=":", zorder=0)
        axes.set(yscale="log", ylim=(1e-3, 100))
    axes.set(ylabel="test loss")


class Onset(NamedTuple):
    """When something is reached."""

    mean: float
    """By the mean over seeds, as in the paper; infinite if it is not, NaN if that is not known."""
    seeds: list[float]
    """By each seed; empty where it is not defined of a single seed."""


def reached(
    source: Source, arm: Drawn, key: str, threshold: float, direction: str = "above"
) -> Onset | None:
    """Step at which a key reaches a threshold; None, and noted as missing, if it was not read."""

    def find() -> Onset:
        seeds = arm.evidence.reached(key, threshold, direction)
        mean = arm.evidence.mean_reached(key, threshold, direction)
        return Onset(mean, [float(x) for x in seeds.array])

    return _or_missing(source, arm, key, find)


def against(
    drawn: Sequence[Drawn], x: Callable[[Drawn], Onset | None], y: Callable[[Drawn], Onset | None]
) -> list[tuple[Drawn, Onset, Onset]]:
    """Two onsets of each arm that was read for both."""
    found = ((arm, x(arm), y(arm)) for arm in drawn)
    return [(arm, a, b) for arm, a, b in found if a is not None and b is not None]


def settled(source: Source, arm: Drawn, key: str) -> Onset | None:
    """First reading from step 200 on at which the seeds' mean is within a tenth of its minimum.

    NaN where nothing was read from there on, or the last step was not read; None as above.
    """

    def find() -> Onset:
        each = arm.evidence
        steps, *rows = common(*(each.series(key, seed) for seed in each.runs))
        mean = np.mean(rows, axis=0)[steps >= 200]
        if not mean.size or steps[-1] < each.n_steps or not np.isfinite(mean).all():
            return Onset(math.nan, [])
        return Onset(float(steps[steps >= 200][mean <= 1.1 * mean.min()][0]), [])

    return _or_missing(source, arm, key, find)


def _or_missing(source: Source, arm: Drawn, key: str, find: Callable[[], Onset]) -> Onset | None:
    try:
        return find()
    except NotRun as error:
        source.lacks(f"{arm.label}: {key}", str(error))
        return None


def bars(axes: Axes, x: float, onset: Onset, color: str, hatch: str, published: int | None) -> None:
    """A bar up to the onset of the mean, its seeds as dots, the published one as a diamond.

    What was not reached ends at the last step with an open triangle on top.
    """
    if not math.isnan(onset.mean):
        height = min(onset.mean, N_STEPS)
        axes.bar(x, height, 0.38, color=color, alpha=0.75, hatch=hatch, edgecolor="white")
        if math.isinf(onset.mean):
            axes.plot([x], [height * 1.15], "^", mfc="none", mec="black", ms=5)
    there = [value for value in onset.seeds if math.isfinite(value)]
    axes.plot(np.full(len(there), x - 0.08), there, ".", color="black", ms=4)
    if published is not None:
        axes.plot([x + 0.1], [published], "D", mfc="white", mec="black", ms=4.5, zorder=5)


def scatter(
    axes: Axes,
    points: Sequence[tuple[Drawn, Onset, Onset]],
    published: Mapping[str, tuple[int, int]],
) -> None:
    """One onset against another, a mark for each arm; published ones hollow.

    An onset that was not reached has no place in it.
    """
    for arm, x, y in points:
        color, mark = style_of(arm.at)["color"], _MARKS[arm.at]
        if math.isfinite(x.mean) and math.isfinite(y.mean):
            axes.plot([x.mean], [y.mean], mark, color=color, ms=5)
        axes.plot([], [], mark, color=color, ms=5, label=arm.label)
        known = published[arm.name]
        axes.plot([known[0]], [known[1]], mark, mfc="white", mec=color, ms=5)
    if not axes.lines:
        say_missing(axes)
        return
    axes.plot([0, N_STEPS], [0, N_STEPS], color="#7F7F7F", lw=0.8, ls=":", zorder=0)
    axes.plot([], [], "o", mfc="white", mec="black", label="hollow: published")
    axes.legend(loc="best")
    axes.set(xlim=(0, N_STEPS), ylim=(0, N_STEPS))
    axes.set_xticks([0, 5000, 10_000], ["0", "5k", "10k"])
    axes.set_yticks([0, 5000, 10_000], ["0", "5k", "10k"])
