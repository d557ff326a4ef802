"""A W&B sweep file as every executor reads it: nothing lost, nothing garbled."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from grok.inputs import InputError
from grok.sweep.parameters import Parameter, read_parameters

METHODS = ("grid", "random", "bayes")
_GOALS = ("minimize", "maximize")


class Metric(NamedTuple):
    """What a search goes by."""

    name: str
    """Log key."""
    goal: str = "minimize"
    """``minimize`` or ``maximize``."""

    def best(self, values: Iterable[float]) -> float | None:
        """The best of some readings; None if none is finite."""
        pick = max if self.goal == "maximize" else min
        return pick((value for value in values if math.isfinite(value)), default=None)


@dataclass(frozen=True)
class SweepDocument:
    """A sweep file, checked."""

    raw: dict[str, Any]
    """As YAML gives it."""
    method: str
    """``grid``, ``random`` or ``bayes``."""
    parameters: dict[str, Parameter]
    """By dotted name, in the order of the file."""
    metric: Metric | None
    """Where the file has one."""
    run_cap: int | None
    """Most runs, where the file says."""


def read_document(text: str) -> SweepDocument:
    """A sweep file's text, checked.

    Which keys stand at the top beside those looked at here is left to the caller.

    Raises:
        InputError: One line that says what is wrong and what is allowed: a document that is no
            mapping or has a key twice, a method or distribution that is not known, values that
            would reach the run as others (:func:`~grok.sweep.parameters.read_parameters`), a bayes
            sweep without a metric.
    """
    raw = load(text)
    if (method := raw.get("method")) not in METHODS:
        raise InputError(f"method={method}: allowed are {', '.join(METHODS)}")
    parameters = read_parameters(raw.get("parameters"), method)
    cap = raw.get("run_cap", 1)
    if isinstance(cap, bool) or not isinstance(cap, int) or cap < 1:
        raise InputError(f"run_cap={cap}: expected a whole number of runs, 1 or more")
    metric = _metric(raw.get("metric"))
    if method == "bayes" and metric is None:
        raise InputError("bayes needs metric: {name: loss/test, goal: minimize}")
    return SweepDocument(raw, method, parameters, metric, raw.get("run_cap"))


def load(text: str) -> dict[str, Any]:
    """The mapping that a sweep file is, unchecked but for keys that are written twice.

    Raises:
        InputError: If it is no YAML, no mapping, or has a key twice.
    """
    try:
        document = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise InputError(f"the sweep file is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise InputError("a sweep file is a mapping with method, parameters and command")
    return document


class _Loader(yaml.SafeLoader):
    """Refuses a key that is written twice, of which YAML would take the last in silence."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge"):
                if (key.tag, key.value) in seen:
                    line = key.start_mark.line + 1
                    raise InputError(
                        f"{key.value} is written twice, again in line {line}; keep one"
                    )
                seen.add((key.tag, key.value))
        return node


def _metric(metric: Any) -> Metric | None:
    if metric is None:
        return None
    if not isinstance(metric, Mapping) or not isinstance(metric.get("name"), str):
        raise InputError(f"metric={metric}: write metric: {{name: loss/test, goal: minimize}}")
    if (goal := metric.get("goal", "minimize")) not in _GOALS:
        raise InputError(f"metric.goal={goal}: allowed are {', '.join(_GOALS)}")
    return Metric(metric["name"], goal)
