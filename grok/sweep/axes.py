"""Several values of a field on one command line: ``--seeds=0,1`` and ``--over=FIELD=V,V``."""

import argparse
import re
from collections.abc import Sequence
from typing import NoReturn

from grok.inputs import InputError

Axes = dict[str, tuple[str, ...]]
"""Dotted name to values, as they stand on the command line."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def take_axes(words: Sequence[str]) -> tuple[Axes, list[str]]:
    """The fields that have several values, and the words that say something else.

    Args:
        words: Of a command line, after the experiment.

    Raises:
        InputError: One line that says what is expected.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--seeds")
    parser.add_argument("--over", action="append", default=[])
    options, rest = parser.parse_known_args(list(words))
    seeds = [] if options.seeds is None else [f"seed={options.seeds}"]
    axes: Axes = {}
    for text in seeds + options.over:
        name, values = _axis(text)
        if name in axes or len(set(values)) < len(values):
            raise InputError(f"{name}: the same field or value twice")
        axes[name] = values
    given = {word.partition("=")[0].removeprefix("--") for word in rest}
    if twice := sorted(given & set(axes)):
        raise InputError(f"{twice[0]} is given twice: as one value and as several")
    return axes, rest


def _axis(text: str) -> tuple[str, tuple[str, ...]]:
    name, is_given, values = text.partition("=")
    # A comma inside of brackets belongs to one value.
    found = tuple(value.strip() for value in re.split(r",(?![^\[]*\])", values))
    if name == "seed" and not all(re.fullmatch("[0-9]+", value) for value in found):
        raise InputError(f"seeds={values}: expected whole numbers such as 456,789")
    if not is_given or "" in found:
        raise InputError(f"over={text}: expected FIELD=VALUE,VALUE such as optim.lr=0.1,0.2")
    return name, found
