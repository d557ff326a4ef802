"""Inner products of the revisions of a series, kept so that no revision is read twice."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from grok.inputs import InputError
from grok.offline.series import Revision
from grok.runs import write_atomic

_VERSION = 1
"""Of the stored records: another one is not read."""


class Sums(NamedTuple):
    """Inner products of the parameters of a set, in float64."""

    square: float
    """theta . theta."""
    cross: float = math.nan
    """theta . delta with the parameters of the checkpoint before, delta what they lack to these."""
    delta: float = math.nan
    """delta . delta."""

    def __add__(self, other: "Sums") -> "Sums":  # type: ignore[override]
        return Sums(*(x + y for x, y in zip(self, other, strict=True)))


class Record(NamedTuple):
    """What was read on a revision."""

    name: str
    step: int
    stamp: str
    previous: list[str]
    """Name and stamp of the checkpoint before; empty for the first."""
    sums: dict[str, Sums]
    """By set."""


class StoredSums:
    """Records of earlier calls, in a file that is either absent or whole.

    Args:
        file: Where they are kept; None keeps them nowhere.
        how: How they were read; those that were read otherwise are forgotten.
    """

    def __init__(self, file: Path | None, how: str) -> None:
        self.file, self.how = file, how
        self.layout, self.n_weights = "", {}
        self.records: dict[str, Record] = {}
        if file is not None and file.is_file():
            try:
                self._take(json.loads(file.read_text(encoding="utf-8")))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InputError(f"{file} is damaged; remove it, and it is made again") from error

    def _take(self, content: dict[str, Any]) -> None:
        """What a file has, if it is of this version and was read in this way."""
        if content["version"] != _VERSION or content["how"] != self.how:
            return
        self.layout, self.n_weights = content["layout"], dict(content["n_weights"])
        for name, step, stamp, previous, each in content["records"]:
            sums = {kind: Sums(*map(_number, values)) for kind, values in each.items()}
            self.records[name] = Record(name, step, stamp, previous, sums)

    def forget_all_but(self, revisions: Sequence[Revision]) -> None:
        """Keep the records of revisions that are as they were."""
        stamps = {revision.name: revision.stamp for revision in revisions}
        kept = {n: r for n, r in self.records.items() if r.stamp and stamps.get(n) == r.stamp}
        self.records = kept
        if not kept:
            self.layout, self.n_weights = "", {}

    def find(self, revision: Revision, before: Revision | None) -> Record | None:
        """The record of a revision, if it and the one before it are as they were."""
        found = self.records.get(revision.name)
        previous = [] if before is None else [before.name, before.stamp]
        return found if found is not None and found.previous == previous else None

    def keep(
        self,
        revision: Revision,
        before: Revision | None,
        sums: dict[str, Sums],
        layout: str,
        n_weights: dict[str, int],
    ) -> Record:
        """Store what was read.

        Raises:
            InputError: If the file has records of other parameters.
        """
        previous = [] if before is None else [before.name, before.stamp]
        record = Record(revision.name, revision.step, revision.stamp, previous, sums)
        if self.n_weights and self.n_weights != n_weights:
            raise InputError("has other parameters than the others")
        self.layout, self.n_weights = layout, n_weights
        self.records[record.name] = record
        if self.file is not None:
            self._write(self.file)
        return record

    def _write(self, file: Path) -> None:
        content = {
            "version": _VERSION,
            "how": self.how,
            "layout": self.layout,
            "n_weights": self.n_weights,
            "records": [
                [*record[:-1], {name: [_plain(x) for x in s] for name, s in record.sums.items()}]
                for record in self.records.values()
            ],
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps(content, allow_nan=False).encode())


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
