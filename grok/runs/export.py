"""Readings of many runs as one table for other programs."""

import io
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from grok.config import InputError
from grok.runs.files import write_atomic
from grok.runs.run import Run


def export(runs: Sequence[Run], path: Path, keys: Sequence[str] = ()) -> int:
    """Write the readings of runs as CSV or Parquet, by the ending of the name.

    Args:
        runs: The runs.
        path: File to write; columns ``run``, ``step``, then one per key, empty where not read.
        keys: Only these, and the steps at which a run read one of them; default all. A run that
            read none of them is left out.

    Returns:
        Number of rows.

    Raises:
        InputError: If there is no reading to write.
        OSError: If the file cannot be written; names ``path``.
    """
    found = ((run, _kept(run.readings(), keys)) for run in runs)
    tables = [
        table.insert_column(0, pl.lit(run.key).alias("run")) for run, table in found if table.height
    ]
    if not tables:
        of_keys = f" of {', '.join(keys)}" if keys else ""
        raise InputError(f"no readings{of_keys} to export")
    table = pl.concat(tables, how="diagonal")
    keys = sorted(set(table.columns) - {"run", "step"})
    table = table.select("run", "step", *keys)
    write_table(table, path)
    return table.height


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write a table whole or not at all: CSV where the name ends in ``.csv``, else Parquet.

    Raises:
        OSError: If the file cannot be written; names ``path``.
    """
    try:
        write_atomic(path, _encoded(table, path.suffix))
    except OSError as error:  # the error names the temporary file
        raise OSError(error.errno, error.strerror, str(path)) from error


def _kept(table: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The columns asked for, without the steps at which none of them was read."""
    if not keys:
        return table
    columns = [key for key in keys if key in table.columns]
    return table.select("step", *columns).filter(
        pl.any_horizontal(pl.col(columns).is_not_null()) if columns else pl.lit(False)
    )


def _encoded(table: pl.DataFrame, suffix: str) -> bytes:
    if suffix == ".csv":
        return table.write_csv().encode()
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()
