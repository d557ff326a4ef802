"""One stored run, to read; and the status that its writer leaves."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
import yaml
from jaxtyping import Float64, Int64

from grok.config import InputError, RunConfig, from_dict
from grok.runs.files import write_atomic
from grok.runs.readings import merged, read_parts, select_keys, wide

Status = Literal["running", "completed", "diverged", "interrupted", "failed"]
"""How a run stands; a run nobody began is ``new``."""

DONE: tuple[Status, ...] = ("completed", "diverged")
"""How a run stands that has nothing left to train."""

Series = tuple[Int64[np.ndarray, " reading"], Float64[np.ndarray, " reading"]]
"""Steps at which a key was read, ascending, and its values."""

# libyaml where it was built in: ten times as fast, and a report opens thousands of configs.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@lru_cache(maxsize=4096)
def _parsed(text: bytes) -> RunConfig:
    """A config is immutable, and the same one is opened again by every claim that reads its run."""
    return from_dict(yaml.load(text, Loader=_Loader))


@dataclass(frozen=True)
class Run:
    """A stored run. Nothing is read before it is asked for."""

    dir: Path
    """Its directory."""

    @property
    def key(self) -> str:
        """Its key, the name of the directory."""
        return self.dir.name

    @property
    def checkpoints_dir(self) -> Path:
        """Where its checkpoints lie; absent until there is one."""
        return self.dir / "checkpoints"

    @property
    def readings_dir(self) -> Path:
        """Where the parts of its readings lie."""
        return self.dir / "readings"

    @property
    def config(self) -> RunConfig:
        """What was run.

        Raises:
            ValueError: If ``config.yaml`` is not a config; one line that names the file.
        """
        return self._config

    @cached_property
    def _config(self) -> RunConfig:
        path = self.dir / "config.yaml"
        try:
            return _parsed(path.read_bytes())
        except (ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
            raise ValueError(f"{path}: {' '.join(str(error).split())}") from error

    def status(self) -> dict[str, Any]:
        """What ``status.json`` says; ``{"status": "new", "step": 0}`` before there is one.

        ``running`` is what the writer last said: after a kill it says so for ever. Whether
        somebody works on the run is asked of :func:`grok.runs.live_owner`.

        Raises:
            ValueError: If the file is damaged; one line that names it.
        """
        path = self.dir / "status.json"
        try:
            values = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {"status": "new", "step": 0}
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        if problem := _status_problem(values):
            raise ValueError(f"{path} is damaged: {problem}")
        return values

    def readings(self, keys: Iterable[str] | None = None) -> pl.DataFrame:
        """The readings, one row per step at which something was read.

        Args:
            keys: Restricts to these keys, and to the steps at which one of them was read.

        Returns:
            Column ``step``, ascending, then one Float64 column per key, sorted. A null was
            not read; a NaN was read. A run without readings has no rows.

        Raises:
            ValueError: If a key was never read (names those near it) or a part is damaged.
        """
        parts = read_parts(self.readings_dir)
        return wide(parts if keys is None else select_keys(parts, keys))

    def final(self) -> dict[str, float]:
        """The last value of every key, keys sorted; they may stem from different steps."""
        table = merged(read_parts(self.readings_dir))
        return dict(sorted(dict(zip(table["key"], table["value"], strict=True)).items()))

    def steps_read(self) -> dict[str, set[int]]:
        """For every key the steps at which it was read."""
        parts = read_parts(self.readings_dir)
        found: dict[str, set[int]] = {key: set() for key in parts["key"].unique()}
        for step, key in zip(parts["step"], parts["key"], strict=True):
            found[key].add(step)
        return found

    def series(self, key: str) -> Series:
        """One key over the run: the steps at which it was read, ascending, and its values.

        Raises:
            ValueError: If the key was never read; names those near it.
        """
        return _columns(merged(select_keys(read_parts(self.readings_dir), [key])))

    def all_series(self) -> dict[str, Series]:
        """Every key as :meth:`series` gives it; the files are read once.

        Raises:
            ValueError: If a part is damaged.
        """
        # Polars' own dictionary asks each part for its key by a query, half of the time of it all.
        parts = read_parts(self.readings_dir).partition_by("key")
        return {table.item(0, "key"): _ascending(*_columns(table)) for table in parts}


def _ascending(steps: np.ndarray, values: np.ndarray) -> Series:
    """Readings of one key by step, the last of each; in NumPy, which small tables cost least."""
    if (np.diff(steps) > 0).all():
        return steps, values
    order = np.argsort(steps, kind="stable")
    steps, values = steps[order], values[order]
    is_last = np.append(np.diff(steps) > 0, True)
    return steps[is_last], values[is_last]


def _columns(table: pl.DataFrame) -> Series:
    step, _, value = table.get_columns()
    return step.to_numpy(writable=True), value.to_numpy(writable=True)


def _status_problem(values: Any) -> str:
    """What is wrong with the content of ``status.json``; empty if nothing is."""
    if not isinstance(values, dict):
        return "not an object"
    if values.get("status") not in get_args(Status):
        return f"status={values.get('status')!r} is not one of {', '.join(get_args(Status))}"
    step = values.get("step")
    if type(step) is not int or step < 0:  # true is an int to isinstance
        return f"step={step!r} is not a whole number, 0 or more"
    return ""


def open_run(path: Path | str) -> Run:
    """The run in a directory.

    Raises:
        InputError: If there is none; one line that says what is missing.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path} is not a directory")
    if not (path / "config.yaml").is_file():
        raise InputError(f"{path} holds no run: config.yaml is missing")
    return Run(path.resolve())


def write_status(run: Run, *, status: Status, step: int, **fields: Any) -> None:
    """Write ``status.json``, whole; what it said before is forgotten.

    Args:
        run: The run.
        status: How it stands.
        step: Updates done.
        fields: Anything JSON can hold, NumPy's numbers and paths too. A number that is not
            finite becomes null, since JSON has none.

    Raises:
        ValueError: If the status is none of those there are.
        TypeError: If a field cannot be written as JSON.
    """
    if status not in get_args(Status):
        raise ValueError(f"status={status!r} is not one of {', '.join(get_args(Status))}")
    values = plain({"status": status, "step": step, **fields})
    text = json.dumps(values, indent=1, allow_nan=False)
    write_atomic(run.dir / "status.json", text.encode())


def plain(value: Any) -> Any:
    """The value as JSON can hold it: null for a number that is not finite, paths as text."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
