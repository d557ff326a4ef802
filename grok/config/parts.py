"""A run put together from its parts, of which those that flags name are parsed anew.

jsonargparse takes time with the square of the number of fields: a third of a second for a whole
run, and a sweep has hundreds that differ in one field. What this module gives is what the parser of
the whole run gives; where it gives nothing, that one decides and says what is wrong.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache, reduce
from operator import getitem
from typing import Any, get_type_hints

from jsonargparse import ArgumentParser, Namespace

from grok.config.key import flatten, to_dict
from grok.config.schema import RunConfig

_TOP = ""
"""Name of the part that has the fields of the run itself."""


class NotInParts(Exception):
    """A flag or a value is of no part; the whole parser knows what to make of it."""


def assembled(values: Mapping[Any, Any], flags: Sequence[str]) -> RunConfig:
    """The run of a file's values with flags applied.

    Args:
        values: Sections and fields as YAML gives them, published names replaced by fields.
        flags: ``--field=value`` with dotted names, in order.

    Raises:
        NotInParts: If a flag or a value is a whole section.
        Exception: Of many kinds, if a value, a flag or the whole is wrong.
    """
    named: dict[str, list[str]] = {}
    for flag in flags:
        named.setdefault(_part_of(flag[2:].partition("=")[0]), []).append(flag)
    texts = {name: json.dumps(part, sort_keys=True) for name, part in _cut(values).items()}
    found = {
        name: _parsed(name, texts.get(name, "{}"), tuple(named.get(name, ()))) for name in parts()
    }
    return RunConfig(**found[_TOP], **_nested(RunConfig, "", found))


@cache
def parts() -> dict[str, type]:
    """Class of each part by its dotted name; the fields of the run itself under an empty one."""
    return {_TOP: RunConfig, **_parts_below(RunConfig, "")}


def _parts_below(cls: type, prefix: str) -> dict[str, type]:
    """Dataclasses that have values; one that has only dataclasses is divided further."""
    found: dict[str, type] = {}
    for name, inner in _sections(cls).items():
        is_divided = len(_sections(inner)) == len(fields(inner))
        found |= _parts_below(inner, f"{prefix}{name}.") if is_divided else {prefix + name: inner}
    return found


@cache
def _sections(cls: type) -> dict[str, Any]:
    """The fields of a dataclass that are dataclasses."""
    hints = get_type_hints(cls)
    return {f.name: hints[f.name] for f in fields(cls) if is_dataclass(hints[f.name])}


@cache
def _part_of(key: str) -> str:
    """The part that a dotted name is inside of."""
    if key in _own_fields():
        return _TOP
    for name in parts():
        if name and key.startswith(f"{name}."):
            return name
    raise NotInParts(key)


@cache
def _own_fields() -> frozenset[str]:
    return frozenset(f.name for f in fields(RunConfig)) - set(_sections(RunConfig))


def _cut(values: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """The values of each part."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        if path in parts():
            found[path] = value
        elif any(part.startswith(f"{path}.") for part in parts()) and isinstance(value, dict):
            found |= _cut(value, f"{path}.")
        elif not prefix and name in _own_fields():
            found.setdefault(_TOP, {})[name] = value
        else:
            raise NotInParts(path)
    return found


def _nested(cls: type, prefix: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a dataclass that are dataclasses."""
    return {
        name: found[prefix + name]
        if prefix + name in found
        else inner(**_nested(inner, f"{prefix}{name}.", found))
        for name, inner in _sections(cls).items()
    }


@lru_cache(maxsize=8192)
def _parsed(name: str, text: str, flags: tuple[str, ...]) -> Any:
    """A part: its dataclass, or a dictionary of the run's own fields."""
    parser = _parser(name)
    # Cloned, since jsonargparse writes the flags into what it is given.
    found = parser.instantiate(parser.parse_args(list(flags), _of_file(name, text).clone()))
    return {field: found[field] for field in _own_fields()} if name == _TOP else found[name]


@lru_cache(maxsize=1024)
def _of_file(name: str, text: str) -> Namespace:
    """The values of a part as a file has them, which most runs of a sweep share."""
    values = json.loads(text)
    for section in reversed(name.split(".") if name else ()):
        values = {section: values}
    return _parser(name).parse_object(values)


@cache
def _parser(name: str) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False, default_env=False)
    if name == _TOP:
        parser.add_class_arguments(RunConfig, None, skip=set(_sections(RunConfig)))
    else:
        parser.add_class_arguments(parts()[name], name)
        plain: Any = reduce(getitem, name.split("."), to_dict(RunConfig()))
        parser.set_defaults({f"{name}.{field}": x for field, x in flatten(plain).items()})
    return parser
