"""Loggers that take the readings of a whole stack."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from lightning.pytorch.loggers import Logger
from torch import Tensor

from grok.keys import find_key
from grok.runs import ReadingsWriter
from grok.tracking import Tracker


class StoreLogger(Logger):
    """Readings of each run to its part of the run store, and a copy to its tracker.

    Args:
        writers: One per run.
        trackers: One per run.
    """

    def __init__(self, writers: Sequence[ReadingsWriter], trackers: Sequence[Tracker]) -> None:
        super().__init__()
        self.writers = writers
        self.trackers = trackers

    @property
    def name(self) -> str:
        """Name of the logger."""
        return "grok"

    @property
    def version(self) -> str:
        """Not versioned: the run's key is its identity."""
        return ""

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing: the run store has the config."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Readings of a lone run."""
        self.log_run(0, step or 0, metrics)

    def log_run(self, run: int, step: int, values: Mapping[str, float]) -> None:
        """Readings of one run of the stack."""
        self.writers[run].add(step, values)
        self.trackers[run].log(step, curves(values))


def curves(values: Mapping[str, float]) -> dict[str, float]:
    """The readings that a tracker gets: all but the elements of vectors, such as spectra."""
    return {key: value for key, value in values.items() if not _is_vector(key)}


@cache
def _is_vector(key: str) -> bool:
    row = find_key(key)
    return row is not None and row.is_vector


def write_readings(
    loggers: Sequence[Logger], step: int, readings: Mapping[str, Tensor], active: Tensor | None
) -> None:
    """Hand the readings of a stack to every logger, each run's to its own place.

    Args:
        loggers: Those of the trainer. One that is not ours takes the readings of a lone run.
        step: Step at which they were taken.
        readings: By key, one value per run.
        active: Runs to write; None for all.

    Raises:
        ValueError: If a foreign logger would get the readings of several runs.
    """
    if not readings:
        return
    table = torch.stack([value.double() for value in readings.values()], dim=-1).cpu().numpy()
    rows = np.arange(len(table)) if active is None else active.cpu().numpy().nonzero()[0]
    for logger in loggers:
        if not isinstance(logger, StoreLogger) and len(table) > 1:
            raise ValueError(f"{type(logger).__name__} takes one run; this stack has {len(table)}")
        for run in rows:
            values = dict(zip(readings, table[run].tolist(), strict=True))
            if isinstance(logger, StoreLogger):
                logger.log_run(int(run), step, values)
            else:
                logger.log_metrics(values, step=step)
