"""The cells of a grid from as few command lines as it has values, for reading one takes long."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from grok.config import RunConfig, flatten, from_dict, to_dict

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
    first = to_dict(parse(cells[0]))
    base = flatten(first)
    changes: list[list[Values]] = []
    for name, (_, *others) in axes.items():
        varied = [flatten(to_dict(parse(cells[0] | {name: value}))) for value in others]
        changes.append([{}, *({k: v for k, v in x.items() if base[k] != v} for x in varied)])
    fields = [set[str]().union(*each) for each in changes]
    if sum(map(len, fields)) > len(set[str]().union(*fields)):
        return [(cell, parse(cell)) for cell in cells]
    parts = itertools.product(*changes)
    return [(cell, _with(first, each)) for cell, each in zip(cells, parts, strict=True)]


def _with(values: Mapping[str, Any], parts: tuple[Values, ...]) -> RunConfig:
    """The config of nested values with some dotted fields replaced."""
    replaced = {key: value for part in parts for key, value in part.items()}
    return from_dict(_nested(values, replaced, ""))


def _nested(values: Mapping[str, Any], replaced: Values, path: str) -> Values:
    return {
        name: _nested(value, replaced, f"{path}{name}.")
        if isinstance(value, Mapping)
        else replaced.get(path + name, value)
        for name, value in values.items()
    }
