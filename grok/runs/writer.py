"""Readings of a run while it is trained: collected in memory, flushed in parts."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from grok.runs.files import sweep_temporary, write_atomic
from grok.runs.readings import (
    SCHEMA,
    merged,
    part_number,
    part_path,
    part_paths,
    read_parts,
    write_part,
)
from grok.runs.run import Run


class _Series:
    """Steps and values of one key, in arrays that grow: a stop rule asks at every reading."""

    def __init__(self, known: Mapping[int, float]) -> None:
        self._fill(known)

    def _fill(self, known: Mapping[int, float]) -> None:
        self._steps = np.array(sorted(known), dtype=np.int64)
        self._values = np.array([known[step] for step in sorted(known)], dtype=np.float64)
        self._at = {step: index for index, step in enumerate(sorted(known))}

    def put(self, step: int, value: float) -> None:
        """Add a reading, or replace that of the same step."""
        if step in self._at:
            self._values[self._at[step]] = value
        elif self._at and step < self._steps[len(self._at) - 1]:
            steps, values = (x.tolist() for x in self.arrays())
            self._fill(dict(zip(steps, values, strict=True)) | {step: value})
        else:
            size = len(self._at)
            if size == len(self._steps):
                self._steps = np.resize(self._steps, 2 * size + 64)
                self._values = np.resize(self._values, 2 * size + 64)
            self._steps[size], self._values[size] = step, value
            self._at[step] = size

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Steps, ascending, and values; views that the next reading may outdate."""
        return self._steps[: len(self._at)], self._values[: len(self._at)]


class ReadingsWriter:
    """Adds readings to a run. One per run, in the process that holds its lock.

    Opening it removes the temporary files that a killed writer left. What was added and not
    flushed is lost with the process; what was flushed is never.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._pending: dict[tuple[int, str], float] = {}
        self._history: dict[str, _Series] = {}  # of the keys somebody asked for
        run.readings_dir.mkdir(exist_ok=True)
        for directory in (run.dir, run.readings_dir, run.checkpoints_dir):
            sweep_temporary(directory)

    @property
    def pending(self) -> int:
        """How many values are not on disk yet."""
        return len(self._pending)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Take the readings of one step; a later value of the same step and key replaces.

        Args:
            step: Updates done.
            values: Key to value, finite or not.

        Raises:
            ValueError: If the step is negative or a key is empty or ``step``.
        """
        if step < 0:
            raise ValueError(f"step={step} is negative")
        if bad := {"", "step"} & set(values):
            raise ValueError(f"{min(bad)!r} cannot be the key of a reading")
        self._pending |= {(step, key): float(value) for key, value in values.items()}
        for key, series in self._history.items():
            if key in values:
                series.put(step, float(values[key]))

    def flush(self) -> None:
        """Write what is pending as one part; nothing if nothing is.

        Raises:
            OSError: If the part cannot be written, for instance on a full disk. The values
                stay pending.
        """
        if not self._pending:
            return
        steps, keys = zip(*self._pending, strict=True)
        columns = {"step": steps, "key": keys, "value": list(self._pending.values())}
        self._write_next(pl.DataFrame(columns, schema=SCHEMA))
        self._pending.clear()

    def compact(self) -> None:
        """Merge the parts on disk into one; what is pending stays so.

        The merged part comes first and the others go after, so a kill in between leaves
        duplicates, which readers merge anyway.

        Raises:
            ValueError: If a part is damaged; nothing is changed then.
            OSError: If the merged part cannot be written; nothing is changed then.
        """
        old = part_paths(self.run.readings_dir)
        if len(old) < 2:
            return
        self._write_next(merged(read_parts(self.run.readings_dir)))
        for path in old:
            path.unlink(missing_ok=True)

    def history(
        self, key: str
    ) -> tuple[Int64[np.ndarray, " reading"], Float64[np.ndarray, " reading"]]:
        """Steps, ascending, and values of one key, flushed and pending; empty if never read."""
        if key not in self._history:
            stored = read_parts(self.run.readings_dir).filter(pl.col("key") == key)
            known = dict(zip(stored["step"], stored["value"], strict=True))
            known |= {step: value for (step, name), value in self._pending.items() if name == key}
            self._history[key] = _Series(known)
        return self._history[key].arrays()

    def _write_next(self, frame: pl.DataFrame) -> None:
        # Looked up each time, lest a part that came from elsewhere be overwritten.
        last = max(map(part_number, part_paths(self.run.readings_dir)), default=0)
        write_atomic(part_path(self.run.readings_dir, last + 1), write_part(frame))
