"""Values drawn from the distributions of a W&B sweep file."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from grok.inputs import InputError

_Scale = tuple[Callable[[float], float], Callable[[float], float]]


_BOUNDED: dict[str, _Scale] = {
    "uniform": (float, float),
    "log_uniform": (float, math.exp),
    "log_uniform_values": (math.log, math.exp),
    "inv_log_uniform": (float, lambda u: math.exp(-u)),
    "inv_log_uniform_values": (lambda x: -math.log(x), lambda u: math.exp(-u)),
}
"""What maps a bound to a scale on which the draws are uniform, and what maps them back."""

_FREE: dict[str, Callable[[np.random.Generator, Mapping[str, Any]], float]] = {
    "normal": lambda rng, s: rng.normal(s.get("mu", 0), s.get("sigma", 1)),
    "log_normal": lambda rng, s: rng.lognormal(s.get("mu", 0), s.get("sigma", 1)),
    "beta": lambda rng, s: rng.beta(s.get("a", 1), s.get("b", 1)),
}
_CONTINUOUS = (*_BOUNDED, *_FREE)
_ALLOWED = (
    "int_uniform",
    *_CONTINUOUS,
    *(f"q_{name}" for name in _CONTINUOUS if not name.startswith("inv_")),
)
_NUMBERS = ("min", "max", "mu", "sigma", "a", "b", "q")
_POSITIVE = ("sigma", "a", "b", "q")


def drawn(spec: Mapping[str, Any], rng: np.random.Generator) -> Any:
    """One value of a parameter.

    Args:
        spec: The parameter as the file has it and :func:`check_draw` has taken it: ``value``,
            ``values`` with or without ``probabilities``, or a distribution. Names and meaning are
            W&B's: bounds of ``log_uniform`` are exponents of e, those of ``log_uniform_values``
            values; ``q_`` rounds to multiples of ``q``, by default 1.
        rng: Where the value comes from.
    """
    if "value" in spec:
        return spec["value"]
    if "values" in spec:
        weights = spec.get("probabilities")
        return spec["values"][int(rng.choice(len(spec["values"]), p=weights))]
    name = distribution_of(spec)
    if name == "int_uniform":
        return int(rng.integers(spec["min"], spec["max"], endpoint=True))
    kind = name.removeprefix("q_")
    if kind in _FREE:
        return _rounded(spec, float(_FREE[kind](rng, spec)))
    return _rounded(spec, _BOUNDED[kind][1](rng.uniform(*_range(spec))))


def ends(spec: Mapping[str, Any]) -> list[Any]:
    """The smallest and the largest value that can be drawn; none where there is no bound."""
    if "min" not in spec:
        return []
    if distribution_of(spec) == "int_uniform":
        return [spec["min"], spec["max"]]
    back = _BOUNDED[distribution_of(spec).removeprefix("q_")][1]
    return sorted(_rounded(spec, back(u)) for u in _range(spec))


def _range(spec: Mapping[str, Any]) -> tuple[float, float]:
    """The bounds of a bounded distribution, on the scale on which it is uniform."""
    scaled = _BOUNDED[distribution_of(spec).removeprefix("q_")][0]
    low, high = sorted((scaled(spec["min"]), scaled(spec["max"])))
    return low, high


def _rounded(spec: Mapping[str, Any], value: float) -> float | int:
    """The value, or of a quantised distribution the nearest multiple of ``q``."""
    if not distribution_of(spec).startswith("q_"):
        return value
    q = spec.get("q", 1)
    return round(value / q) * q


def distribution_of(spec: Mapping[str, Any]) -> str:
    """Name of the distribution; of two bounds alone it is uniform, over integers if both are."""
    if found := spec.get("distribution"):
        return str(found)
    both = isinstance(spec.get("min"), int) and isinstance(spec.get("max"), int)
    return "int_uniform" if both else "uniform"


def check_draw(name: str, spec: Mapping[str, Any]) -> None:
    """Refuse a parameter that cannot be drawn.

    Args:
        name: Its dotted name.
        spec: A parameter without ``value`` and ``values``.

    Raises:
        InputError: One line that names it and says what is allowed.
    """
    kind = distribution_of(spec)
    if kind not in _ALLOWED:
        allowed = ", ".join(_ALLOWED)
        raise InputError(f"{name}: {kind} is not drawn here; write value, values, or {allowed}")
    needed = () if kind.removeprefix("q_") in _FREE else ("min", "max")
    if missing := [key for key in needed if key not in spec]:
        raise InputError(f"{name}: {kind} needs {missing[0]}")
    if unknown := [str(key) for key in spec if key not in ("distribution", *_NUMBERS)]:
        raise InputError(f"{name}: {unknown[0]} is not understood; allowed: {', '.join(_NUMBERS)}")
    for key in _NUMBERS:
        value = spec.get(key, 1)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value):
            raise InputError(f"{name}.{key}={value!r}: expected a number such as 1.0e-3")
        if key in _POSITIVE and not value > 0:
            raise InputError(f"{name}.{key}={value}: expected a number above 0")
    _check_bounds(name, kind, spec)


def _check_bounds(name: str, kind: str, spec: Mapping[str, Any]) -> None:
    low, high = spec.get("min", 0), spec.get("max", 1)
    if low > high:
        raise InputError(f"{name}: min={low} is above max={high}")
    if kind == "int_uniform" and not (isinstance(low, int) and isinstance(high, int)):
        raise InputError(f"{name}: int_uniform needs whole numbers, not min={low} and max={high}")
    if kind.endswith("log_uniform_values") and not low > 0:
        raise InputError(f"{name}.min={low}: {kind} needs a bound above 0")


def check_probabilities(name: str, spec: Mapping[str, Any]) -> None:
    """Refuse weights that do not belong to the values.

    Raises:
        InputError: If they are not one number per value, none below 0, with sum 1.
    """
    weights, values = spec.get("probabilities"), spec.get("values")
    if weights is None:
        return
    numbers = isinstance(weights, list) and all(isinstance(w, int | float) for w in weights)
    if (
        not numbers
        or not isinstance(values, list)
        or len(weights) != len(values)
        or min(weights) < 0
        or not math.isclose(sum(weights), 1, abs_tol=1e-8)
    ):
        raise InputError(f"{name}.probabilities={weights}: one number per value, with sum 1")
