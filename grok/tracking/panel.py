"""What a panel is: readings that are drawn together. Plain data, without W&B."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from grok.keys import find_key


@dataclass(frozen=True)
class Panel:
    """Readings that are drawn together."""

    title: str
    """What is on the y-axis."""
    keys: tuple[str, ...]
    """Log keys, or patterns of :data:`grok.keys.KEYS` such as ``attn/entropy/<layer>``, which stand
    for all that a run has of them."""
    kind: Literal["line", "scalar", "heatmap"] = "line"
    """Curves over the step; one number a run, of its summary; or, for keys of one pattern, colour
    over the step and what the field of the pattern counts."""
    log_x: bool = True
    """Whether the step is on a logarithmic axis, which has no place for step 0."""
    log_y: bool = False
    """Whether values are; those that are 0 or below are not drawn."""
    papers: tuple[str, ...] = ()
    """Papers of the list whose figures or tables show it."""
    is_on_wandb: bool = True
    """False for readings of the run store alone: spectra, and what is read when a run has ended."""

    @property
    def family(self) -> str:
        """Measure family of its first key; empty if no row of the table has it."""
        row = find_key(self.keys[0])
        return row.family if row else ""

    def of(self, logged: Iterable[str]) -> list[str]:
        """Those of some log keys that it shows: by its own order, then by number and name."""
        found = {key: at for key in set(logged) if (at := self._place(key)) is not None}
        return sorted(found, key=lambda key: (found[key], _natural(key)))

    def _place(self, key: str) -> int | None:
        row = find_key(key)
        names = [key] + ([row.pattern] if row else [])
        return next((self.keys.index(name) for name in names if name in self.keys), None)


def _natural(key: str) -> list[tuple[bool, int, str]]:
    """Sorting key by which layer 2 comes before layer 10."""
    parts = re.split(r"(\d+)", key)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


@dataclass(frozen=True)
class Section:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]
