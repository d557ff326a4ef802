"""Runs by the size of their training set, and panels of their accuracy."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes

from grok.claims.claim import Claim
from grok.claims.effective_theory.arms import STRUCTURED
from grok.claims.effective_theory.structure import SIZES
from grok.claims.evidence import ArmEvidence
from grok.report.figures.base import Arm, Source
from grok.report.figures.draw import mark_published
from grok.report.figures.effective_theory.panels import (
    at_step,
    diagonal,
    first_step,
    grouped,
    points,
)

READ_AT = 5000
"""Step of figures 3, 10 and 18."""
N_PAIRS_S3 = 36
"""Ordered pairs of S3."""

BySize = Mapping[int, ArmEvidence]


class Reading(NamedTuple):
    """A run after :data:`READ_AT` steps."""

    share: float
    """Of all pairs that are trained."""
    right: float
    """Accuracy on all pairs."""
    predicted: float
    """The same as the parallelograms predict it."""
    rqi: float
    """Representation quality."""
    seed: str
    """Its seed."""
    n: int
    """Training pairs."""


def addition_runs(source: Source, claim: Claim) -> dict[int, ArmEvidence]:
    """Runs of addition by the size of the training set, as far as there are any.

    Args:
        source: The runs.
        claim: ET-C5 for their first 5,000 updates, ET-C6 for 10,000. Its arms with more than 45
            pairs have the script's mini-batches of 45.
    """
    found = {n: source.arm(Arm.of(f"{n} pairs", claim.arms[f"{n} pairs"])) for n in SIZES}
    return {n: evidence for n, evidence in found.items() if evidence is not None}


def group_runs(source: Source) -> dict[int, ArmEvidence]:
    """The same for composition on S3."""
    return grouped(source, "effective_theory/permutation_size", lambda x: x.toy.n_train)


def readings(source: Source, runs: BySize, n_pairs: int) -> list[Reading]:
    """What was read of every run at step 5,000; runs that have not come so far are left out."""
    keys = ("repr/acc", "repr/predicted_acc", "repr/rqi")
    found = []
    for n, evidence in runs.items():
        right, predicted, rqi = (at_step(source, evidence, key, READ_AT) for key in keys)
        for seed in right.keys() & predicted.keys() & rqi.keys():
            read = right[seed], predicted[seed], rqi[seed]
            found.append(Reading(n / n_pairs, *read, seed, n))
    return sorted(found, key=lambda x: (x.n, int(x.seed)))


def steps_by_size(source: Source, runs: BySize) -> list[tuple[int, list[float]]]:
    """Steps of RQI 0.95 of the seeds of each size."""
    return [(n, first_step(source, e, "repr/rqi", STRUCTURED)) for n, e in runs.items()]


def accuracy_panels(
    axes: Sequence[Axes], found: Sequence[Reading], theirs: Sequence[tuple[float, float, float]]
) -> None:
    """Accuracy by size, predicted accuracy by size, and one against the other.

    Args:
        axes: Three.
        found: Ours.
        theirs: Published training share, accuracy and predicted accuracy.
    """
    share, right, predicted = (
        [getattr(x, name) for x in found] for name in ("share", "right", "predicted")
    )
    published = [list(x) for x in zip(*theirs, strict=True)] if theirs else [[], [], []]
    pairs = ((share, right, 0, 1), (share, predicted, 0, 2), (predicted, right, 2, 1))
    for each, (x, y, i, j) in zip(axes, pairs, strict=True):
        diagonal(each)
        points(each, x, y)
        if theirs:
            mark_published(each, published[i], published[j])
        each.set(xlim=(0, 1.03), ylim=(0, 1.05))
    labels = (("training fraction r", "accuracy"), ("training fraction r", "predicted accuracy"))
    for each, (x, y) in zip(axes, (*labels, ("predicted accuracy", "accuracy")), strict=True):
        each.set(xlabel=x, ylabel=y)
