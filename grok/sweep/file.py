"""W&B sweep files, read and expanded into runs without a server."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from grok.config import InputError, RunConfig, find_experiment, flag_pairs, parse_run, run_key
from grok.sweep.cells import configs_of
from grok.sweep.parameters import read_parameters

ARGS = "${args}"
COMMAND = '["${env}", grok, train, EXPERIMENT, "${args}"]'
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
)


class SweepRun(NamedTuple):
    """One cell of a grid."""

    values: dict[str, Any]
    """Its value on each axis."""
    config: RunConfig
    """The run."""


@dataclass(frozen=True)
class Sweep:
    """A grid of runs over one experiment."""

    name: str
    """``<folder>/<file>``, such as ``inductive_bias/layernorm``; the W&B group of its runs."""
    path: Path
    """The YAML file."""
    experiment: str
    """What every run starts from."""
    axes: dict[str, tuple[Any, ...]]
    """Dotted name to values; the first varies slowest. ``seed`` is an axis like the others."""
    flags: tuple[str, ...] = (ARGS,)
    """Flags of every run, with the values of the axes at ``${args}``; later ones win."""
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """How an axis was written: ``("optim", "lr")`` if nested, ``("optim.lr",)`` if dotted."""

    def runs(self, flags: Sequence[str] = ()) -> list[SweepRun]:
        """The distinct runs, first axis slowest; of cells that are the same run the first stays.

        Args:
            flags: ``--seeds=456,789`` replaces the seed axis (or adds one that varies fastest).
                ``--field=value`` replaces the axis of that name by the one value; where there
                is none it overrides the field in every run.

        Raises:
            InputError: One line naming the key, the value and what is allowed.
        """
        found: dict[str, SweepRun] = {}
        for cell in self.cells(flags):
            found.setdefault(run_key(cell.config), cell)
        return list(found.values())

    def cells(self, flags: Sequence[str] = ()) -> list[SweepRun]:
        """Every cell of the grid, first axis slowest; several may be the same run.

        Args:
            flags: As for :meth:`runs`.

        Raises:
            InputError: As :meth:`runs` does.
        """
        axes, overrides = self._changed(flags)
        try:
            found = configs_of(axes, lambda values: self._parse(values, overrides))
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"{self.path}: {error}") from None
        return [SweepRun(values, config) for values, config in found]

    def _changed(self, flags: Sequence[str]) -> tuple[dict[str, tuple[Any, ...]], list[str]]:
        """The axes with those replaced that flags name, and the flags that name none."""
        axes, overrides = dict(self.axes), []
        for flag in flags:
            if flag.startswith("--seeds="):
                axes["seed"] = _seeds(flag.removeprefix("--seeds="))
        for key, value in flag_pairs([f for f in flags if not f.startswith("--seeds=")]):
            if key in axes:
                axes[key] = (_typed(value),)
            else:
                overrides.append(f"--{key}={value}")
        return axes, overrides

    def _parse(self, values: dict[str, Any], overrides: list[str]) -> RunConfig:
        at = self.flags.index(ARGS)
        flags = [*self.flags[:at], *self._arguments(values), *self.flags[at + 1 :], *overrides]
        try:
            return parse_run(self.experiment, flags)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from None

    def _arguments(self, values: dict[str, Any]) -> list[str]:
        """The flags as ``wandb agent`` writes them; nested parameters are one dictionary."""
        nested: dict[str, Any] = {}
        for name, value in values.items():
            *sections, last = self.paths.get(name, (name,))
            place = nested
            for section in sections:
                place = place.setdefault(section, {})
            place[last] = value
        return [f"--{name}={value}" for name, value in nested.items()]


def read_sweep(name: str, served: Sequence[str] = ()) -> Sweep:
    """The sweep file called ``name``, ``paper/name``, or at that path.

    Args:
        name: Which.
        served: Keys that are let pass though only a server acts on them.

    Raises:
        InputError: If there is none, or it is no grid over an experiment; one line.
    """
    found = find_experiment(name, "sweeps")
    document = _read(found.path, served)
    try:
        experiment, rest = _command(document.get("command"))
        parameters = read_parameters(document.get("parameters"))
    except InputError as error:
        raise InputError(f"{found.path}: {error}") from None
    title = f"{found.paper}/{found.name}"
    tracking = {key: document.get(key) for key in ("project", "entity")} | {"group": title}
    base = [f"--tracking.{key}={value}" for key, value in tracking.items() if value]
    return Sweep(
        name=title,
        path=found.path,
        experiment=experiment,
        axes={name: values for name, (_, values) in parameters.items()},
        flags=(*base, *rest),
        paths={name: path for name, (path, _) in parameters.items()},
    )


def read_document(path: Path) -> dict[str, Any]:
    """The mapping that a sweep file is, unchecked.

    Raises:
        InputError: If it cannot be read or is no mapping; one line.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise InputError(f"{path} is not a mapping; a sweep file has method, parameters, command")
    return document


def _read(path: Path, served: Sequence[str]) -> dict[str, Any]:
    """The document, with what only a server can do refused, but for the keys named."""
    document = read_document(path)
    if unknown := [str(key) for key in document if key not in (*_KEYS, *served)]:
        raise InputError(
            f"{path}: {unknown[0]} is not understood here; allowed: {', '.join(_KEYS)}"
        )
    if (method := document.get("method")) != "grid":
        raise InputError(
            f"{path}: method={method}: only grid runs without a server; random and bayes come "
            "through `wandb sweep` and `wandb agent` for now"
        )
    return document


def _command(command: Any) -> tuple[str, tuple[str, ...]]:
    """The experiment, and what stands after it."""
    if not isinstance(command, list) or "train" not in command:
        raise InputError(f"command={command}: write {COMMAND}, which names the experiment")
    experiment, *rest = [*command[command.index("train") + 1 :], ""]
    rest = tuple(str(word) for word in rest[:-1])
    if not re.match(r"[^$-]", str(experiment)):
        raise InputError(f"command names no experiment after train: write {COMMAND}")
    if rest.count(ARGS) != 1:
        raise InputError(f"command must have {ARGS} once, after the experiment: write {COMMAND}")
    return str(experiment), rest


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
