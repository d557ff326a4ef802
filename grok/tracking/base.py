"""What a tracker is, and the one that keeps nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from grok.config import RunConfig

Pixels = UInt8[np.ndarray, "row col"]
"""A grey image: 0 is black, 255 white."""


@runtime_checkable
class StoredRun(Protocol):
    """What a tracker must know of a run; :class:`grok.runs.Run` has it."""

    @property
    def dir(self) -> Path:
        """Its directory."""
        ...

    @property
    def key(self) -> str:
        """Its key."""
        ...

    @property
    def config(self) -> RunConfig:
        """Its resolved config."""
        ...


@runtime_checkable
class Tracker(Protocol):
    """Takes the readings of one run."""

    @property
    def url(self) -> str | None:
        """Page of the run; None unless it is online."""
        ...

    @property
    def where(self) -> str | None:
        """Where the copy is, a page or a directory; None if there is no copy."""
        ...

    @property
    def takes_media(self) -> bool:
        """Whether spectra and images are of use to it; where not, they need not be made."""
        ...

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take the readings of one step."""
        ...

    def summary(self, values: Mapping[str, Any]) -> None:
        """Take values that belong to the run as a whole."""
        ...

    def table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take a table, whose rows have the same columns."""
        ...

    def images(self, step: int, images: Mapping[str, Pixels], caption: str) -> None:
        """Take images of one step, all with the same caption."""
        ...

    def finish(self, exit_code: int) -> None:
        """Close the copy; 0 means that the run is done."""
        ...


class NoTracker:
    """Keeps no copy."""

    url: str | None = None
    where: str | None = None
    takes_media: bool = False

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def summary(self, values: Mapping[str, Any]) -> None:
        """Do nothing."""

    def table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Do nothing."""

    def images(self, step: int, images: Mapping[str, Pixels], caption: str) -> None:
        """Do nothing."""

    def finish(self, exit_code: int) -> None:
        """Do nothing."""
