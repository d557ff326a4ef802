"""The fields of a run as text: what ``grok train EXPERIMENT --help`` shows."""

import textwrap
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from docstring_parser import parse_from_object

from grok.config.schema import RunConfig
from grok.models.config import NORM_NAMES, NormConfig


def field_help(config: RunConfig, width: int = 96) -> str:
    """Every field as the flag that sets it, with its value in ``config`` and its meaning."""
    paragraphs = []
    for flag, value, meaning in _flags(config, ""):
        body = textwrap.fill(
            meaning,
            width,
            initial_indent="      ",
            subsequent_indent="      ",
            break_on_hyphens=False,
        )
        paragraphs.append(f"  --{flag}={value}\n{body}")
    return "\n".join(paragraphs)


def _flags(config: Any, prefix: str) -> Iterator[tuple[str, str, str]]:
    """Flag, value and meaning of each field, depth first."""
    meanings = _meanings(type(config))
    hints = get_type_hints(type(config))
    for name in type(config).__dataclass_fields__:
        value, meaning = getattr(config, name), " ".join(meanings[name].split())
        if isinstance(value, NormConfig):
            yield prefix + name, value.name, f"{meaning} Names: {', '.join(NORM_NAMES)}."
        if is_dataclass(value):
            yield from _flags(value, f"{prefix}{name}.")
        else:
            yield prefix + name, _text(value), meaning + _choices(hints[name])


def _meanings(kind: type) -> dict[str, str]:
    """Docstring of each field; one that a class declares anew keeps that of its base."""
    bases = [base for base in reversed(kind.__mro__) if is_dataclass(base)]
    documented = [p for base in bases for p in parse_from_object(base).params]
    return {p.arg_name: p.description for p in documented if p.description}


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ",".join(map(str, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _choices(hint: Any) -> str:
    """The values a field takes, where they are few."""
    if get_origin(hint) is tuple:
        hint = get_args(hint)[0]
    if get_origin(hint) is not Literal:
        return ""
    return f" One of {', '.join(map(str, get_args(hint)))}."
