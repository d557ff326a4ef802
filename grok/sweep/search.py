"""Which values the next run of a sweep gets, whoever trains it."""

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from grok.config import flatten
from grok.inputs import InputError
from grok.sweep.document import SweepDocument
from grok.sweep.draw import drawn
from grok.sweep.parameters import Parameter

Parameters = Mapping[str, Parameter]
Values = dict[str, Any]
"""A value for each parameter, by dotted name."""


class Past(NamedTuple):
    """A run that a sweep has made, as the search sees it."""

    id: str
    """Its id."""
    values: Mapping[str, Any]
    """Its values by dotted name."""
    state: Literal["running", "finished", "failed"]
    """How it stands; one that waits to be trained counts as running."""
    best: float | None
    """Best value of the metric that it has logged; None if none."""


def proposal(document: SweepDocument, past: Sequence[Past], seed: int) -> Values | None:
    """Values of the next run of a sweep.

    Args:
        document: The sweep.
        past: The runs made so far, in order.
        seed: Of the sweep. What is drawn depends on it and on the number of runs alone, in a
            bayes sweep also on their metrics.

    Returns:
        By dotted name; None when the grid or ``run_cap`` is used up.
    """
    number = len(past)
    if document.run_cap is not None and number >= document.run_cap:
        return None
    if document.method == "bayes":
        return proposed(document.parameters, document.raw["metric"], past, seed)
    if document.method == "random":
        return draw(document.parameters, seed, number)
    axes = [parameter.values for parameter in document.parameters.values()]
    cell = next(itertools.islice(itertools.product(*axes), number, None), None)
    return None if cell is None else dict(zip(document.parameters, cell, strict=True))


def draw(parameters: Parameters, seed: int, number: int) -> Values:
    """The values of one run of a random sweep.

    A parameter's value depends on seed, number and its name: the order of the file does not
    matter, which ``wandb sweep`` does not keep, nor what other parameters there are.

    Args:
        parameters: What is drawn.
        seed: Of the sweep, 0 or more.
        number: Of the run, from 0.
    """
    return {
        name: drawn(parameter.spec, np.random.default_rng([seed, number, *name.encode()]))
        for name, parameter in parameters.items()
    }


def proposed(
    parameters: Parameters, metric: Mapping[str, Any], past: Sequence[Past], seed: int
) -> Values:
    """The values that W&B's engine proposes in a bayes sweep.

    Args:
        parameters: What is searched.
        metric: As the file has it: ``name``, ``goal``, and how the engine is to take a run that
            failed (``impute``).
        past: The runs made so far, in order.
        seed: Of the sweep.

    Raises:
        InputError: If the engine is not installed.
    """
    wandbs = engine()
    runs = [
        wandbs.SweepRun(
            name=run.id,
            state=wandbs.RunState(run.state),
            config={name: {"value": value} for name, value in run.values.items()},
            history=[] if run.best is None else [{metric["name"]: run.best}],
        )
        for run in past
    ]
    config = {
        "method": "bayes",
        "metric": dict(metric),
        "parameters": {name: dict(parameter.spec) for name, parameter in parameters.items()},
    }
    np.random.seed((seed + len(past)) % 2**32)  # noqa: NPY002 - the engine draws from here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = wandbs.next_run(config, runs).config
    return {name: _plain(found[name]["value"]) for name in parameters}


def check_bayes(document: SweepDocument) -> None:
    """Refuse a bayes sweep that cannot be searched here.

    Raises:
        InputError: If W&B's engine is not installed, or every parameter has one value.
    """
    if document.method != "bayes":
        return
    engine()
    if all("value" in parameter.spec for parameter in document.parameters.values()):
        raise InputError("bayes needs a parameter with several values or a distribution")


def engine() -> Any:
    """W&B's search engine; what its own dependencies deprecate is no concern of ours.

    Raises:
        InputError: If the package ``sweeps`` is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import sweeps
        except ImportError:
            raise InputError(
                "bayes needs W&B's engine: pip install 'grokking-lab[sweeps]'"
            ) from None
    return sweeps


def _plain(value: Any) -> Any:
    """A value of the engine's without numpy, which JSON does not know."""
    return value.item() if isinstance(value, np.generic) else value


def nested(parameters: Parameters, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they were written: parameters that are nested are one dictionary.

    Args:
        parameters: How each was written; a name that is not among them is taken as it is.
        values: By dotted name.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        *sections, last = parameters[name].path if name in parameters else (name,)
        place = found
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return found


def to_args(document: SweepDocument, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as W&B's agent takes them: ``{"lr": {"value": 0.1}}``."""
    return {key: {"value": value} for key, value in nested(document.parameters, values).items()}


def from_args(args: Mapping[str, Any]) -> Values:
    """The values by dotted name that :func:`to_args` wrote."""
    return flatten({key: spec["value"] for key, spec in args.items()})
