"""W&B sweep files, read and expanded into runs without a server."""

import itertools
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from grok.config import InputError, RunConfig, find_experiment, flag_pairs, parse_run, run_key
from grok.sweep.axes import take_axes
from grok.sweep.cells import configs_of
from grok.sweep.command import ARGS, read_command
from grok.sweep.document import SweepDocument, read_document
from grok.sweep.parameters import Parameter
from grok.sweep.search import draw, nested

_KEYS = (
    "name",
    "description",
    "program",
    "project",
    "entity",
    "metric",
    "method",
    "parameters",
    "command",
    "run_cap",
)


class SweepRun(NamedTuple):
    """One cell of a grid, or one draw."""

    values: dict[str, Any]
    """Its value on each axis, or of each parameter."""
    config: RunConfig
    """The run."""


@dataclass(frozen=True)
class Sweep:
    """Runs over one experiment."""

    name: str
    """``<folder>/<file>``, such as ``inductive_bias/layernorm``; the W&B group of its runs."""
    path: Path
    """The YAML file."""
    experiment: str
    """What every run starts from."""
    document: SweepDocument
    """What the file says. ``seed`` is a parameter like the others."""
    flags: tuple[str, ...] = (ARGS,)
    """Flags of every run, with the values of the parameters at ``${args}``; later ones win."""
    stacked: dict[str, Parameter] = field(default_factory=dict)
    """What the command gives several values, ``--seeds`` and ``--over``: each cell and each draw
    is a run for each of these, which an agent trains at one start."""

    @property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """Of a grid, dotted name to values; the first varies slowest."""
        parameters = self.document.parameters | self.stacked
        return {name: each.values for name, each in parameters.items()}

    def runs(self, flags: Sequence[str] = ()) -> list[SweepRun]:
        """The distinct runs of a grid, first axis slowest; of cells that are the same the first.

        Args:
            flags: ``--seeds=456,789`` replaces the seed axis (or adds one that varies fastest).
                ``--field=value`` replaces the axis of that name by the one value; where there
                is none it overrides the field in every run.

        Raises:
            InputError: One line naming the key, the value and what is allowed.
        """
        return distinct(self.cells(flags))

    def cells(self, flags: Sequence[str] = ()) -> list[SweepRun]:
        """Every cell of a grid, first axis slowest, up to the file's ``run_cap``.

        Several may be the same run.

        Args:
            flags: As for :meth:`runs`.

        Raises:
            InputError: As :meth:`runs` does.
        """
        parameters, overrides = self.changed(flags)
        axes = {name: each.values for name, each in parameters.items()}
        try:
            found = configs_of(axes, lambda values: self.run_of(values, overrides).config)
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"{self.path}: {error}") from None
        cap = self.document.run_cap
        if cap is not None:  # of what an agent starts
            found = found[: cap * math.prod(len(parameters[name].values) for name in self.stacked)]
        return [SweepRun(values, config) for values, config in found]

    def draws(
        self,
        count: int,
        seed: int,
        flags: Sequence[str] = (),
        on_read: Callable[[int], None] = lambda number: None,
    ) -> list[SweepRun]:
        """The first distinct runs of a random sweep.

        Args:
            count: How many are drawn.
            seed: Of the sweep, 0 or more. A draw depends on it and on its number alone.
            flags: As for :meth:`runs`; of the seeds one is drawn for each run.
            on_read: Called with the number of each run that has been through the parser.

        Raises:
            InputError: As :meth:`runs` does.
        """
        parameters, overrides = self.changed(flags)
        stacked = {name: parameters.pop(name).values for name in self.stacked}
        found = []
        for number in range(count):
            values = draw(parameters, seed, number)
            for more in itertools.product(*stacked.values()):
                cell = values | dict(zip(stacked, more, strict=True))
                found.append(self.run_of(cell, overrides))
            on_read(number)
        return distinct(found)

    def changed(self, flags: Sequence[str]) -> tuple[dict[str, Parameter], list[str]]:
        """The parameters with those replaced that flags name, and the flags that name none.

        Args:
            flags: As for :meth:`runs`.

        Raises:
            InputError: If a flag is no field, or seeds are no whole numbers.
        """
        found, overrides = self.document.parameters | self.stacked, []
        for flag in flags:
            if flag.startswith("--seeds="):
                seeds = _seeds(flag.removeprefix("--seeds="))
                found["seed"] = _replaced(found, "seed", {"values": seeds})
        for key, value in flag_pairs([f for f in flags if not f.startswith("--seeds=")]):
            if key in found:
                found[key] = _replaced(found, key, {"value": _typed(value)})
            else:
                overrides.append(f"--{key}={value}")
        return found, overrides

    def run_of(self, values: Mapping[str, Any], overrides: Sequence[str] = ()) -> SweepRun:
        """The run of one value for each parameter, as ``wandb agent`` would start it.

        Args:
            values: By dotted name.
            overrides: Flags that win over them.

        Raises:
            InputError: One line naming the key, the value and what is allowed.
        """
        at = self.flags.index(ARGS)
        given = nested(self.document.parameters, values)
        args = [f"--{name}={value}" for name, value in given.items()]
        flags = [*self.flags[:at], *args, *self.flags[at + 1 :], *overrides]
        try:
            return SweepRun(dict(values), parse_run(self.experiment, flags))
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from None


def distinct(cells: Sequence[SweepRun]) -> list[SweepRun]:
    """The first of those that are the same run."""
    found: dict[str, SweepRun] = {}
    for cell in cells:
        found.setdefault(run_key(cell.config), cell)
    return list(found.values())


def read_sweep(name: str, methods: Sequence[str] = ("grid",), served: Sequence[str] = ()) -> Sweep:
    """The sweep file called ``name``, ``paper/name``, or at that path.

    Args:
        name: Which.
        methods: Those that the caller can do with.
        served: Keys that are let pass though only a server acts on them.

    Raises:
        InputError: If there is none, or it is no such sweep over an experiment; one line.
    """
    found = find_experiment(name, "sweeps")
    try:
        document = read_document(found.path.read_text(encoding="utf-8"))
        _check(document, methods, served)
        experiment, words = read_command(document.raw.get("command"))
        several, rest = take_axes(words)
        stacked = {name: _stacked(document, name, values) for name, values in several.items()}
    except (OSError, UnicodeDecodeError, InputError) as error:
        raise InputError(f"{found.path}: {' '.join(str(error).split())}") from None
    title = f"{found.paper}/{found.name}"
    tracking = {key: document.raw.get(key) for key in ("project", "entity")} | {"group": title}
    base = [f"--tracking.{key}={value}" for key, value in tracking.items() if value]
    return Sweep(title, found.path, experiment, document, (*base, *rest), stacked)


def _stacked(document: SweepDocument, name: str, values: Sequence[str]) -> Parameter:
    """A field that the command gives several values."""
    if name in document.parameters:
        raise InputError(f"{name} is given twice: as a parameter and in the command")
    return Parameter((name,), {"values": [_typed(value) for value in values]})


def _check(document: SweepDocument, methods: Sequence[str], served: Sequence[str]) -> None:
    """Refuse what cannot be done without a server, or not by the caller."""
    for key in document.raw:
        if key == "early_terminate" and key not in served:
            raise InputError(
                "early_terminate: nothing is stopped early here; leave it out, or go through "
                "`wandb sweep`"
            )
        if key not in (*_KEYS, *served):
            raise InputError(f"{key} is not understood here; allowed: {', '.join(_KEYS)}")
    if document.method not in methods:
        raise InputError(f"method={document.method}: expected {' or '.join(methods)} here")


def _seeds(text: str) -> tuple[int, ...]:
    words = text.split(",")
    if not all(re.fullmatch(r"[0-9]+", word.strip()) for word in words):
        raise InputError(f"seeds={text}: expected whole numbers such as 456,789")
    return tuple(int(word) for word in words)


def _typed(text: str) -> Any:
    """A flag's value as a sweep file would hold it, where JSON knows how."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _replaced(parameters: Mapping[str, Parameter], name: str, spec: Mapping[str, Any]) -> Parameter:
    """A parameter as it was written, or flat if it was not, with other values."""
    path = parameters[name].path if name in parameters else (name,)
    return Parameter(path, spec)
