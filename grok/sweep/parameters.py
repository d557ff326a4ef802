"""The ``parameters`` of a W&B sweep file, with what YAML and the agent would garble refused."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from grok.config import InputError, RunConfig, flatten, to_dict
from grok.sweep.draw import check_draw, check_probabilities

_NUMBER = r"[+-]?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?"
_SPEC_KEYS = ("value", "values", "distribution")
_WRITE = "write value: ... or values: [...] under it"
_A = {"grid": "a grid", "random": "listed values", "bayes": "listed values"}


class Parameter(NamedTuple):
    """One parameter of a sweep file."""

    path: tuple[str, ...]
    """How it was written: ``("optim", "lr")`` if nested, ``("optim.lr",)`` if dotted."""
    spec: Mapping[str, Any]
    """What stands under it: ``value``, ``values``, or what is drawn from."""

    @property
    def values(self) -> tuple[Any, ...]:
        """What is listed; nothing if it is drawn from a distribution."""
        if "value" in self.spec:
            return (self.spec["value"],)
        return tuple(self.spec.get("values", ()))


def read_parameters(parameters: Any, method: str = "grid") -> dict[str, Parameter]:
    """Every parameter of a sweep.

    Args:
        parameters: The mapping as YAML gives it; a parameter has ``value``, ``values``, nested
            ``parameters``, or in a sweep that is no grid a distribution.
        method: Of the sweep.

    Returns:
        By dotted name, in the order of the file.

    Raises:
        InputError: One line that names the parameter and says what to write.
    """
    found: dict[str, Parameter] = {}
    for path, spec in _walk(parameters, ()):
        name = ".".join(path)
        if name in found:
            raise InputError(f"{name} is given twice")
        if method == "grid" or "value" in spec or "values" in spec:
            _check_values(name, spec, method)
        else:
            check_draw(name, spec)
        found[name] = Parameter(path, spec)
    return found


def _walk(
    parameters: Any, prefix: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Path and specification of each parameter, depth first."""
    if not isinstance(parameters, dict) or not parameters:
        where = ".".join((*prefix, "parameters"))
        raise InputError(f"{where}={parameters}: expected names with value or values")
    for key, spec in parameters.items():
        path = (*prefix, str(key))
        if not isinstance(spec, dict):
            raise InputError(f"{'.'.join(path)}={spec}: {_WRITE}")
        if "parameters" in spec:
            yield from _walk(spec["parameters"], path)
        else:
            yield path, spec


def _check_values(name: str, spec: Mapping[str, Any], method: str) -> None:
    """Refuse a parameter that has no values, or one that cannot be meant."""
    if ("value" in spec) == ("values" in spec):
        raise InputError(f"{name}={spec}: {_WRITE}")
    keys = _SPEC_KEYS if method == "grid" else (*_SPEC_KEYS, "probabilities")
    if unknown := [str(key) for key in spec if key not in keys]:
        raise InputError(f"{name}: {unknown[0]} is not for {_A[method]}; write value or values")
    if not isinstance(spec.get("values", [0]), list) or not spec.get("values", [0]):
        raise InputError(f"{name}.values={spec['values']}: expected a list such as [1, 2]")
    check_probabilities(name, spec)
    for value in Parameter((), spec).values:
        _check(name, value)


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
    """Whether a field holds text, or a list of texts, or takes a name in place of its fields."""
    default = _defaults().get(name)
    return isinstance(default, str) or default == [] or name == "model.norm"


@cache
def _defaults() -> dict[str, Any]:
    return flatten(to_dict(RunConfig()))
