"""The ``parameters`` of a W&B sweep file, with what YAML and the agent would garble refused."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from grok.config import InputError, RunConfig, flatten, to_dict

_NUMBER = r"[+-]?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?"
_SPEC_KEYS = ("value", "values", "distribution")


def read_parameters(parameters: Any) -> dict[str, tuple[tuple[str, ...], tuple[Any, ...]]]:
    """Every parameter of a grid.

    Args:
        parameters: The mapping as YAML gives it; a parameter has ``value``, ``values``, or
            nested ``parameters``.

    Returns:
        By dotted name, in the order of the file: the names it is nested under with its own
        last, and its values.

    Raises:
        InputError: One line that names the parameter and says what to write.
    """
    found: dict[str, tuple[tuple[str, ...], tuple[Any, ...]]] = {}
    for path, values in _walk(parameters, ()):
        name = ".".join(path)
        if name in found:
            raise InputError(f"{name} is given twice")
        for value in values:
            _check(name, value)
        found[name] = (path, values)
    return found


def _walk(
    parameters: Any, prefix: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], tuple[Any, ...]]]:
    """Path and values of each parameter, depth first."""
    if not isinstance(parameters, dict) or not parameters:
        where = ".".join((*prefix, "parameters"))
        raise InputError(f"{where}={parameters}: expected names with value or values")
    for key, spec in parameters.items():
        path = (*prefix, str(key))
        if isinstance(spec, dict) and "parameters" in spec:
            yield from _walk(spec["parameters"], path)
        else:
            yield path, _values(".".join(path), spec)


def _values(name: str, spec: Any) -> tuple[Any, ...]:
    """The values of one parameter."""
    if not isinstance(spec, dict) or ("value" in spec) == ("values" in spec):
        raise InputError(f"{name}={spec}: write value: ... or values: [...] under it")
    if unknown := [str(key) for key in spec if key not in _SPEC_KEYS]:
        raise InputError(f"{name}: {unknown[0]} is not for a grid; write value or values")
    values = spec["values"] if "values" in spec else [spec["value"]]
    if not isinstance(values, list) or not values:
        raise InputError(f"{name}.values={values}: expected a list such as [1, 2]")
    return tuple(values)


def _check(name: str, value: Any) -> None:
    """Refuse a value that would reach the run, or W&B, as another than is meant."""
    for each in value if isinstance(value, list) else [value]:
        if problem := _problem(each, _is_text(name)):
            raise InputError(f"{name}={each}: {problem}")


def _problem(value: Any, is_text: bool) -> str | None:
    """What is wrong with one value and what to write instead."""
    if value is None or value == "None":
        return "null reaches the run as the text None; give a value, or leave the parameter out"
    if isinstance(value, bool) and is_text:
        return (
            "YAML reads an unquoted off, no, on or yes as true or false; put it in quotes, "
            'and for nothing write "none"'
        )
    if isinstance(value, str) and not is_text and re.fullmatch(_NUMBER, value):
        return f"this is text to YAML; write {_as_yaml(value)}"
    if isinstance(value, str) and not is_text and value.lower() in ("true", "false"):
        return f"this is text to YAML; write {value.lower()} without quotes"
    if not isinstance(value, bool | int | float | str):
        return "expected a number, true or false, a text, or a list of these"
    return None


def _as_yaml(number: str) -> str:
    """The number so that YAML 1.1 reads it as one: without quotes, with a dot before an e."""
    if re.fullmatch(r"[+-]?\d+", number):
        return number
    text = repr(float(number))
    return text if "." in text else text.replace("e", ".0e")


def _is_text(name: str) -> bool:
    """Whether a field holds text, or a list of texts."""
    default = _defaults().get(name)
    return isinstance(default, str) or default == []


@cache
def _defaults() -> dict[str, Any]:
    return flatten(to_dict(RunConfig()))
