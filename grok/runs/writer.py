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
        # Only of the keys somebody asked for: a stop rule asks at every reading.
        self._history: dict[str, dict[int, float]] = {}
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
        for key, known in self._history.items():
            if key in values:
                known[step] = float(values[key])

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
            self._history[key] = known
        known = self._history[key]
        steps = np.fromiter(known.keys(), dtype=np.int64, count=len(known))
        values = np.fromiter(known.values(), dtype=np.float64, count=len(known))
        order = np.argsort(steps, kind="stable")
        return steps[order], values[order]

    def _write_next(self, frame: pl.DataFrame) -> None:
        # Looked up each time, lest a part that came from elsewhere be overwritten.
        last = max(map(part_number, part_paths(self.run.readings_dir)), default=0)
        write_atomic(part_path(self.run.readings_dir, last + 1), write_part(frame))
