"""The runs of a page in groups: those that differ by their seeds alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from grok.claims.evidence import common
from grok.config.key import flatten, to_dict
from grok.config.schema import with_seed
from grok.report.page.curves import Readings
from grok.report.terminal import stored_row
from grok.runs import Run
from grok.runs.run import Series
from grok.runs.summary import onsets_of

_NOT_SCIENCE = ("tracking.", "measures.", "checkpoint.", "device", "threads", "n_steps")
"""Beginnings of fields that say nothing about what was trained."""


@dataclass
class Member:
    """A run of a group, as it is stored."""

    run: Run
    values: dict[str, Any]
    """Its value on each axis."""
    status: dict[str, Any]
    readings: Readings
    onset: Mapping[str, int | None]

    @property
    def last_step(self) -> int:
        """Of its readings, 1 or more."""
        return max([1, *(int(steps[-1]) for steps, _ in self.readings.values() if steps.size)])


@dataclass
class Group:
    """Runs with the same values on every axis but the seed."""

    number: int
    """From 1 on: its name in a plot, and its colour and dash."""
    label: str = ""
    """Its values on the axes."""
    members: list[Member] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Number and values: ``3: alpha 0.5``."""
        return f"{self.number}: {self.label}"

    def common_keys(self) -> set[str]:
        """Keys that every member was read for."""
        return set.intersection(*(set(member.readings) for member in self.members))

    def bundle(self, key: str) -> "Bundle":
        """One key of all members, on the steps at which each was read."""
        each = [member.readings[key] for member in self.members]
        steps, *rows = common(*each)
        return Bundle(each, steps, np.array(rows))


class Bundle(NamedTuple):
    """A key over the steps, of several runs."""

    each: Sequence[Series]
    """Of every run, all that was read."""
    steps: np.ndarray
    """Steps at which all were read."""
    values: np.ndarray
    """Values there, ``[run, step]``."""


class Store(NamedTuple):
    """What a page about several runs is made of."""

    groups: list[Group]
    axes: list[str]
    """Fields on which the groups differ."""
    faults: list[str]
    """What could not be read, one line each."""
    n_absent: int
    """Runs that are asked for and not stored."""


def grouped(runs: Sequence[tuple[dict[str, Any] | None, Run]]) -> Store:
    """Read runs and put those together that differ by their seeds alone.

    Args:
        runs: Each with its values on the axes of a sweep; None where the fields on which the
            configs differ are the axes.
    """
    members, faults, n_absent = [], [], 0
    groups: dict[Any, Group] = {}
    for values, run in runs:
        if not run.dir.is_dir():
            n_absent += 1
            continue
        try:
            member, alike = _member(values or {}, run), with_seed(run.config, 0)
        except (ValueError, OSError) as error:
            faults.append(" ".join(str(error).split()))
            continue
        if not member.readings:
            faults.append(f"{run.key}: nothing has been read yet")
            continue
        members.append(member)
        key = _comparable(alike)
        groups.setdefault(key, Group(len(groups) + 1)).members.append(member)
    if any(values is None for values, _ in runs):
        _set_values(members)
    axes = _axes(members)
    for group in groups.values():
        values = group.members[0].values
        group.label = ", ".join(f"{short(name)} {values.get(name)}" for name in axes) or "all runs"
    return Store(list(groups.values()), axes, faults, n_absent)


def short(name: str) -> str:
    """The last part of a field's dotted name."""
    return name.rpartition(".")[2]


def _member(values: dict[str, Any], run: Run) -> Member:
    status = run.status() | stored_row(run)
    readings = run.all_series()
    return Member(run, values, status, readings, onsets_of(readings))


def _comparable(config: Any) -> tuple[Any, ...]:
    return tuple(sorted(_science(config).items(), key=lambda item: item[0]))


def _science(config: Any) -> dict[str, Any]:
    """Fields that change what is trained, by dotted name, lists as text."""
    flat = flatten(to_dict(config))
    kept = {k: v for k, v in flat.items() if not k.startswith(_NOT_SCIENCE)}
    return {k: str(v) if isinstance(v, list) else v for k, v in kept.items()}


def _set_values(members: Sequence[Member]) -> None:
    """Give runs of no sweep their values on the fields on which they differ."""
    flat = [_science(member.run.config) for member in members]
    for member, values in zip(members, flat, strict=True):
        member.values = values


def _axes(members: Sequence[Member]) -> list[str]:
    """Fields with several values, without seeds."""
    names = members[0].values if members else {}
    return [
        name
        for name in names
        if not name.endswith("seed") and len({str(m.values.get(name)) for m in members}) > 1
    ]
