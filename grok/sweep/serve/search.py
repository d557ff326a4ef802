"""Which values the next run of a sweep gets."""

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import yaml

from grok.inputs import InputError
from grok.sweep.parameters import read_parameters
from grok.sweep.serve.draw import check_draw, check_probabilities, drawn

METHODS = ("grid", "random", "bayes")


class Past(NamedTuple):
    """A run that a sweep has made, as the search sees it."""

    id: str
    """Its id."""
    args: Mapping[str, Any]
    """Its values, as :func:`proposal` gave them."""
    state: Literal["running", "finished", "failed"]
    """How it stands; one that waits to be trained counts as running."""
    best: float | None
    """Best value of the metric that it has logged; None if none."""


def read_config(text: str) -> dict[str, Any]:
    """A sweep's config, checked.

    Args:
        text: The YAML document that ``wandb sweep`` sends. It has sorted the keys, so in a grid
            the first parameter by alphabet varies slowest.

    Raises:
        InputError: One line that says what is wrong and what is allowed: a document that is no
            mapping, a method or distribution that is not known, values that would reach the run
            as others (:func:`~grok.sweep.parameters.read_parameters`), a bayes sweep without a
            metric or without the package ``sweeps``.
    """
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"the sweep file is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(config, dict):
        raise InputError("a sweep file is a mapping with method, parameters and command")
    method = config.get("method")
    if method not in METHODS:
        raise InputError(f"method={method}: allowed are {', '.join(METHODS)}")
    for name, spec in _flat(config):
        _check(name, spec, method)
    cap = config.get("run_cap", 1)
    if isinstance(cap, bool) or not isinstance(cap, int) or cap < 1:
        raise InputError(f"run_cap={cap}: expected a whole number of runs, 1 or more")
    if method == "bayes":
        _check_bayes(config)
    return config


def proposal(
    config: Mapping[str, Any], past: Sequence[Past], seed: int
) -> dict[str, dict[str, Any]] | None:
    """Values of the next run.

    Args:
        config: A config that :func:`read_config` has taken.
        past: The runs made so far, in order.
        seed: Of the sweep. What is drawn depends on it and on the number of runs alone, in a
            bayes sweep also on their metrics.

    Returns:
        ``{"lr": {"value": 0.1}}`` as a W&B agent takes them, nested parameters as one
        dictionary; None when the grid or ``run_cap`` is used up.
    """
    number = len(past)
    if number >= config.get("run_cap", number + 1):
        return None
    if config["method"] == "bayes":
        return _bayes(config, past, seed)
    specs = _flat(config)
    if config["method"] == "grid":
        cells = itertools.product(*(read_parameters({n: s})[n][1] for n, s in specs))
        values = next(itertools.islice(cells, number, None), None)
    else:
        rng = np.random.default_rng([seed, number])
        values = [drawn(spec, rng) for _, spec in specs]
    return None if values is None else _nested(config["parameters"], iter(values))


def _flat(config: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Dotted name and specification of each parameter, depth first."""
    return list(_walk(config.get("parameters"), ""))


def _walk(parameters: Any, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(parameters, dict) or not parameters:
        raise InputError(f"{prefix}parameters={parameters}: expected names with value or values")
    for key, spec in parameters.items():
        if not isinstance(spec, dict):
            raise InputError(f"{prefix}{key}={spec}: write value: ... or values: [...] under it")
        if "parameters" in spec:
            yield from _walk(spec["parameters"], f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", spec


def _nested(parameters: Mapping[str, Any], values: Iterator[Any]) -> dict[str, dict[str, Any]]:
    """The values, in the order of :func:`_flat`, under the names of the file's first level."""

    def filled(spec: Mapping[str, Any]) -> Any:
        inner = spec.get("parameters")
        return {k: filled(s) for k, s in inner.items()} if inner is not None else next(values)

    return {str(key): {"value": filled(spec)} for key, spec in parameters.items()}


def _check(name: str, spec: dict[str, Any], method: str) -> None:
    if method != "grid":
        check_probabilities(name, spec)
        spec = {key: value for key, value in spec.items() if key != "probabilities"}
    if method == "grid" or "value" in spec or "values" in spec:
        read_parameters({name: spec})
    else:
        check_draw(name, spec)


def _check_bayes(config: Mapping[str, Any]) -> None:
    metric = config.get("metric")
    if not isinstance(metric, dict) or not isinstance(metric.get("name"), str):
        raise InputError("bayes needs metric: {name: loss/test, goal: minimize}")
    if (goal := metric.get("goal", "minimize")) not in ("minimize", "maximize"):
        raise InputError(f"metric.goal={goal}: allowed are minimize, maximize")
    try:
        engine()
    except ImportError:
        raise InputError("bayes needs W&B's engine: pip install sweeps") from None


def engine() -> Any:
    """W&B's search engine; what its own dependencies deprecate is no concern of ours.

    Raises:
        ImportError: If the package ``sweeps`` is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import sweeps
    return sweeps


def _bayes(config: Mapping[str, Any], past: Sequence[Past], seed: int) -> dict[str, Any] | None:
    wandbs = engine()
    metric = config["metric"]["name"]
    runs = [
        wandbs.SweepRun(
            name=run.id,
            state=wandbs.RunState(run.state),
            config=dict(run.args),
            history=[] if run.best is None else [{metric: run.best}],
        )
        for run in past
    ]
    np.random.seed((seed + len(past)) % 2**32)  # noqa: NPY002 - the engine draws from here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = wandbs.next_run(dict(config), runs)
    return None if found is None else found.config
