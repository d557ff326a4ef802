"""Readings of many runs as one table for other programs."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from grok.runs.files import write_atomic
from grok.runs.run import Run


def export(runs: Sequence[Run], path: Path) -> int:
    """Write the readings of runs as CSV or Parquet, by the ending of the name.

    Args:
        runs: The runs.
        path: File to write; columns ``run``, ``step``, then one per key, empty where not read.

    Returns:
        Number of rows.

    Raises:
        ValueError: If there is no reading to write.
    """
    tables = [run.readings().insert_column(0, pl.lit(run.key).alias("run")) for run in runs]
    tables = [table for table in tables if table.height]
    if not tables:
        raise ValueError("no readings to export")
    table = pl.concat(tables, how="diagonal")
    keys = sorted(set(table.columns) - {"run", "step"})
    table = table.select("run", "step", *keys)
    if path.suffix == ".csv":
        write_atomic(path, table.write_csv().encode())
    else:
        import io

        buffer = io.BytesIO()
        table.write_parquet(buffer)
        write_atomic(path, buffer.getvalue())
    return table.height
