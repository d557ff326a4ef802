"""The cells of a grid from as few command lines as it has values, for reading one takes long."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from grok.config import RunConfig

Values = dict[str, Any]
"""A value for each axis."""


def configs_of(
    axes: Mapping[str, tuple[Any, ...]], parse: Callable[[Values], RunConfig]
) -> list[tuple[Values, RunConfig]]:
    """Every cell of a grid with its config, first axis slowest.

    Only the cells that differ from the first one on a single axis are parsed; the others have the
    fields in which these differ. Where two axes set the same field, every cell is parsed.

    Args:
        axes: Dotted name to values.
        parse: Config of a cell.

    Raises:
        ValueError: In one line that names the field, for values that exclude each other; and what
            ``parse`` raises.
    """
    cells = [dict(zip(axes, cell, strict=True)) for cell in itertools.product(*axes.values())]
    first = parse(cells[0])
    changes: list[list[Values]] = []
    for name, (_, *others) in axes.items():
        varied = [_changes(first, parse(cells[0] | {name: value})) for value in others]
        changes.append([{}, *varied])
    names = [set[str]().union(*each) for each in changes]
    if sum(map(len, names)) > len(set[str]().union(*names)):
        return [(cell, parse(cell)) for cell in cells]
    parts = itertools.product(*changes)
    return [(cell, _with(first, each)) for cell, each in zip(cells, parts, strict=True)]


def _changes(first: Any, other: Any, path: str = "") -> Values:
    """The fields, by dotted name, that another config has otherwise."""
    found: Values = {}
    for name in (field.name for field in fields(first)):
        ours, theirs = getattr(first, name), getattr(other, name)
        if is_dataclass(ours):
            found |= _changes(ours, theirs, f"{path}{name}.") if ours != theirs else {}
        elif ours != theirs:
            found[path + name] = theirs
    return found


def _with(config: Any, parts: Sequence[Values]) -> Any:
    """A config with some fields replaced, by dotted name."""
    changed: dict[str, Any] = {}
    inside: dict[str, Values] = {}
    for key, value in (item for part in parts for item in part.items()):
        name, _, rest = key.partition(".")
        if rest:
            inside.setdefault(name, {})[rest] = value
        else:
            changed[name] = value
    sections = {name: _with(getattr(config, name), [each]) for name, each in inside.items()}
    return replace(config, **changed, **sections)
