"""What a panel is: readings that are drawn together. Plain data, without W&B."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from grok.keys import Key, find_key

FIELD = r"<\w+>"
"""What stands in a pattern for a layer, head, frequency and so on."""


@dataclass(frozen=True)
class Panel:
    """Readings that are drawn together."""

    title: str
    """What is on the y-axis."""
    keys: tuple[str, ...]
    """Log keys, or patterns such as ``attn/entropy/<layer>`` that stand for all that a run has of
    them; each is in :data:`grok.keys.KEYS`."""
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
    """False for what is no curve there: spectra, which are tables, and what is read when a run has
    ended, which is in the run store alone."""

    @property
    def family(self) -> str:
        """Measure family of its first key; empty if the table of keys does not have it."""
        row = find_row(self.keys[0])
        return row.family if row else ""

    def of(self, logged: Iterable[str]) -> list[str]:
        """Those of some log keys that it shows: by its own order, then by number and name."""
        found = {key: at for key in set(logged) if (at := self._place(key)) is not None}
        return sorted(found, key=lambda key: (found[key], _natural(key)))

    def _place(self, key: str) -> int | None:
        each = enumerate(self.keys)
        return next((at for at, name in each if re.fullmatch(key_regex(name), key)), None)


@cache
def key_regex(key: str) -> str:
    """Regular expression of a key or pattern, without what only Python's can do."""
    return re.sub(FIELD, "[^/]+", re.escape(key))


def find_row(key: str) -> Key | None:
    """Row of the table that a key or pattern of a panel belongs to; None when it is in no row."""
    # A set of parameters is called "all", a parameter is not; other fields are called anything.
    return find_key(re.sub(FIELD, "all", key)) or find_key(re.sub(FIELD, "0", key))


def _natural(key: str) -> list[tuple[bool, int, str]]:
    """Sorting key by which layer 2 comes before layer 10."""
    parts = re.split(r"(\d+)", key)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


@dataclass(frozen=True)
class Section:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]
