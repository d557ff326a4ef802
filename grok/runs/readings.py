"""Parts of readings on disk: long tables of step, key, value, merged in order."""

import difflib
import io
import re
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64
from polars.exceptions import PanicException, PolarsError

SCHEMA: dict[str, type[pl.DataType]] = {"step": pl.Int64, "key": pl.String, "value": pl.Float64}
"""Columns of a part."""

_PART = re.compile(r"part-(\d+)\.parquet")


def part_path(directory: Path, number: int) -> Path:
    """Where part ``number`` of the readings lies."""
    return directory / f"part-{number:06d}.parquet"


def part_number(path: Path) -> int:
    """Number of a part; 0 for a file that is none."""
    match = _PART.fullmatch(path.name)
    return int(match[1]) if match else 0


def part_paths(directory: Path) -> list[Path]:
    """The parts in the order in which they are merged; none in an absent directory."""
    paths = [path for path in directory.glob("part-*.parquet") if part_number(path)]
    return sorted(paths, key=part_number)


def read_parts(directory: Path) -> pl.DataFrame:
    """All parts, one below the other in order: columns ``step``, ``key``, ``value``.

    A step and key may occur in several parts; the last occurrence counts.

    Raises:
        ValueError: If a part cannot be read; one line that names the file.
    """
    # A writer that merges its parts removes those listed a moment ago; it does so rarely.
    for _ in range(5):
        try:
            parts = [_read_part(path) for path in part_paths(directory)]
        except FileNotFoundError:
            continue
        if len(parts) == 1:
            return parts[0]
        return pl.concat(parts) if parts else pl.DataFrame(schema=SCHEMA)
    raise ValueError(f"{directory}: parts vanish while they are read")


def write_part(frame: pl.DataFrame) -> bytes:
    """A part's bytes: Parquet of :data:`SCHEMA`."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def merged(parts: pl.DataFrame) -> pl.DataFrame:
    """One row per step and key, the last of each, by ascending step; keys keep their order."""
    ordered = parts.lazy().sort("step", maintain_order=True)  # lazy: two steps at the price of one
    return ordered.unique(["step", "key"], keep="last", maintain_order=True).collect()


def select_keys(parts: pl.DataFrame, keys: Iterable[str]) -> pl.DataFrame:
    """The rows of some keys.

    Raises:
        ValueError: If a key was never read; names the nearest that were.
    """
    wanted = list(keys)
    known = set(parts["key"].unique())
    for key in wanted:
        check_key(key, known)
    return parts.filter(pl.col("key").is_in(wanted))


def check_key(key: str, known: Collection[str]) -> None:
    """Refuse a key that is not among those that were read.

    Raises:
        ValueError: Names the nearest of them.
    """
    if key not in known:
        near = difflib.get_close_matches(key, known, n=5, cutoff=0.5)
        hint = f"; near it: {', '.join(near)}" if near else f"; there are {len(known)} keys"
        raise ValueError(f"no reading {key!r}{hint}")


def wide(parts: pl.DataFrame) -> pl.DataFrame:
    """One row per step, ascending, and one column per key, sorted; null where not read."""
    columns = sorted(parts["key"].unique().to_list())
    table = parts.pivot(on="key", index="step", values="value", aggregate_function="last")
    return table.select("step", *columns).sort("step")


def series_of(
    table: pl.DataFrame, key: str
) -> tuple[Int64[np.ndarray, " reading"], Float64[np.ndarray, " reading"]]:
    """Steps at which a key of a wide table was read, and its values."""
    series = table.select("step", key).drop_nulls()
    return series["step"].to_numpy(), series[key].to_numpy()


def _read_part(path: Path) -> pl.DataFrame:
    # Read first: a missing file is then told apart from one that is not Parquet.
    data = path.read_bytes()
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (PolarsError, PanicException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} is damaged: {reason}") from error
    if dict(frame.schema) != SCHEMA:
        raise ValueError(f"{path} is not a part of readings: its columns are {frame.columns}")
    return frame
