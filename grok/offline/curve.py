"""Norms along a series of checkpoints, and what lies between neighbours.

Shapes: ``reading`` - checkpoints in the order of their steps.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from grok.inputs import InputError
from grok.offline.parameters import Held, Reader
from grok.offline.series import CheckpointSeries, Problem, Revision
from grok.offline.stored_sums import Record, StoredSums


@dataclass(frozen=True)
class Curve:
    """A series that was read."""

    series: str
    layout: str
    """One of :data:`grok.offline.layouts.LAYOUTS`, or ``none``."""
    n_weights: Mapping[str, int]
    """Weights of each set, tied ones once."""
    records: Sequence[Record]
    problems: Sequence[Problem]

    @property
    def steps(self) -> Int64[np.ndarray, " reading"]:
        """Steps of the checkpoints."""
        return np.array([record.step for record in self.records], dtype=np.int64)

    def columns(self, name: str) -> dict[str, Float64[np.ndarray, " reading"]]:
        r"""What is known of a set at each checkpoint, by log key without the set.

        With :math:`\delta` the difference to the checkpoint before, not a single update: updates
        that are alike add up in it. The first checkpoint has a norm alone, and sums of 0; of two
        equal checkpoints cosines with :math:`\delta` and ratios are NaN.

        Reference:
            Merrill et al. 2021, figures 1 and 5.
        """
        rows = [record.sums[name] for record in self.records]
        square, cross, delta = (np.array(x, dtype=np.float64) for x in zip(*rows, strict=True))
        before = np.concatenate([[np.nan], square[:-1]])
        total = np.concatenate([[0.0], delta[1:].cumsum()])
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                "norm/theta": np.sqrt(square),
                "norm/delta": np.sqrt(delta),
                "dir/cos_prev": (before + cross) / np.sqrt(before * square),
                "align/theta_delta": cross / np.sqrt(before * delta),
                "norm/pyth_ratio": (square - before) / delta,
                "norm/cum_delta_sq": total,
                "norm/misaligned_share": total / (square - square[0]),
            }


def read_curve(
    series: CheckpointSeries,
    *,
    layout: str = "auto",
    include: str = "",
    stored: Path | None = None,
    tell: Callable[[int], None] = lambda done: None,
) -> Curve:
    """Norms and steps of every set of parameters, in one pass over the files.

    Two checkpoints are in memory at a time; safetensors are not even copied there. Sums are in
    float64 whatever the type of the weights. What cannot be read is left out, and the step is taken
    to the next checkpoint that can.

    Args:
        series: The checkpoints.
        layout: One of :data:`grok.offline.layouts.LAYOUTS`, ``none``, or ``auto``.
        include: Regular expression of names; they make the set ``chosen``.
        stored: File in which each revision's sums are kept, written whole after each, and from
            which they are taken as long as neither it nor the one before it has changed.
        tell: Called with the number of revisions that are done.

    Returns:
        The curve, with one problem for each revision that is missing, not alone or not usable.

    Raises:
        InputError: If no revision can be read.
    """
    reader, known = Reader(layout, include), StoredSums(stored, f"{layout} {include}")
    known.forget_all_but(series.revisions)
    records, problems = [], list(series.problems)
    for done, record in enumerate(_records(series.revisions, reader, known), 1):
        if isinstance(record, Problem):
            problems.append(record)
        else:
            records.append(record)
        tell(done)
    if not records:
        first = f"; {problems[0].name} {problems[0].text}" if problems else ""
        raise InputError(f"{series.name} has no checkpoint that can be read{first}")
    n_weights = known.n_weights or reader.n_weights()
    return Curve(series.name, known.layout or reader.layout, n_weights, records, problems)


def _records(
    revisions: Sequence[Revision], reader: Reader, known: StoredSums
) -> Iterator[Record | Problem]:
    """What is known of each revision, or why it is not."""
    before: Revision | None = None
    held: Held | None = None
    for revision in revisions:
        record = known.find(revision, before)
        if record is None:
            try:
                if before is not None and held is None:
                    held = _again(reader, before)
                found = reader.read(revision)
                record = known.keep(
                    revision, before, reader.sums(found, held), reader.layout, reader.n_weights()
                )
            except InputError as error:
                yield Problem(revision.name, str(error))
                continue
            held = found
        else:
            held = None
        before = revision
        yield record


def _again(reader: Reader, revision: Revision) -> Held:
    """A revision whose sums are known, for the one that follows it."""
    try:
        return reader.read(revision)
    except InputError as error:
        raise InputError(f"cannot be compared: {revision.name} before it {error}") from error
