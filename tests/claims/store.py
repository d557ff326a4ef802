"""Run stores with invented readings: what a claim's plan asks for, without training."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from grok.claims import PAPERS, Claim, claims_of
from grok.claims.plan import Plan, make_plan, union
from grok.config import RunConfig, Schedule, run_key
from grok.keys import find_key
from grok.runs import ReadingsWriter, Run, RunStore, write_status

CLAIMS: dict[str, Claim] = {claim.id: claim for paper in PAPERS for claim in claims_of(paper)}

Spread = float | None | tuple[float | None, float | None, float | None]
"""A published value: the mean, or (mean, least, largest) over seeds. None: never."""

Curve = Callable[[int], Mapping[int, float]]
"""Steps and values of one seed, linear in between: 0 has the mean, 1 the least, 2 the largest."""

Readings = Mapping[str, Mapping[str, Curve]]
"""By arm and key."""


def _of(value: Spread, place: int) -> float | None:
    return value[place] if isinstance(value, tuple) else value


def through(points: Mapping[int, Spread]) -> Curve:
    """A curve through published values, flat before the first and after the last."""
    return lambda place: {step: float(_of(x, place) or 0.0) for step, x in points.items()}


def steady(value: Spread) -> Curve:
    """One value at every step."""
    return through({0: value})


def crossing(step: Spread, before: float, after: float) -> Curve:
    """A curve that jumps at a step, or never."""

    def of(place: int) -> Mapping[int, float]:
        at = _of(step, place)
        return {0: before} if at is None else {int(at) - 1: before, int(at): after}

    return of


def rises(step: Spread, before: float = 0.2, after: float = 1.0) -> Curve:
    """An accuracy, say, that jumps to 1."""
    return crossing(step, before, after)


def falls(step: Spread, before: float = 25.0, after: float = 1e-3) -> Curve:
    """A loss, say, that falls to next to nothing."""
    return crossing(step, before, after)


@cache
def _whole_plan() -> Plan:
    return make_plan(CLAIMS.values())


def plan_of(claim: Claim) -> Plan:
    """The claim's own plan, cut out of that of all claims, which is parsed once."""
    cells = {(claim.id, name): _whole_plan().cells[claim.id, name] for name in claim.arms}
    merged: dict[str, RunConfig] = {}
    for config in (config for runs in cells.values() for config in runs.values()):
        key = run_key(config)
        merged[key] = union(merged[key], config) if key in merged else config
    return Plan(cells, list(merged.values()))


def fill(root: Path, claim: Claim, readings: Readings) -> Plan:
    """Store the runs of a claim's plan with these readings, at the steps that its config reads.

    Args:
        root: Run store.
        claim: The claim.
        readings: Of each arm; arms that are one run share what is given for either.
    """
    plan = plan_of(claim)
    curves = _by_run(plan, claim, readings)
    for config in plan.configs:
        run = RunStore(root).create(config)
        write_readings(run, config, curves.get(run.key, {}))
        write_status(run, status="completed", step=config.n_steps, n_steps=config.n_steps)
    return plan


@contextmanager
def changed(root: Path, claim: Claim, plan: Plan, readings: Readings) -> Iterator[None]:
    """These readings instead of those that :func:`fill` stored."""
    configs = {run_key(config): config for config in plan.configs}
    added: set[Path] = set()
    for key, curves in _by_run(plan, claim, readings).items():
        run = Run(root.resolve() / key)
        before = set(run.readings_dir.iterdir())
        write_readings(run, configs[key], curves)
        added |= set(run.readings_dir.iterdir()) - before
    yield
    for path in added:
        path.unlink()


def _by_run(plan: Plan, claim: Claim, readings: Readings) -> dict[str, dict[str, Any]]:
    """Steps and values of each key, by run."""
    found: dict[str, dict[str, Any]] = {}
    for name, curves in readings.items():
        runs = plan.cells[claim.id, name]
        places = dict.fromkeys(runs, 0) | {min(runs): 1, max(runs): 2}
        for seed, config in runs.items():
            new = {key: curve(places[seed]) for key, curve in curves.items()}
            found.setdefault(run_key(config), {}).update(new)
    return found


def write_readings(run: Run, config: RunConfig, curves: Mapping[str, Mapping[int, float]]) -> None:
    """Add the value of each key at every step at which its family is due."""
    writer = ReadingsWriter(run)
    for key, points in curves.items():
        row = find_key(key)
        assert row is not None, f"{key} is no log key"
        family = getattr(config.measures, row.family)
        assert family.enabled, f"{run.key} does not read {key}"
        steps = due_steps(family.schedule, config.n_steps)
        values = np.interp(steps, list(points), list(points.values()))
        for step, value in zip(steps, values.tolist(), strict=True):
            writer.add(step, {key: value})
    writer.flush()


@cache
def due_steps(schedule: Schedule, last: int) -> list[int]:
    """Every step up to the last at which a schedule reads."""
    return [step for step in range(last + 1) if schedule.is_due(step)]


def merged(*readings: Readings) -> dict[str, dict[str, Curve]]:
    """Curves of several sources by arm."""
    found: dict[str, dict[str, Curve]] = {}
    for arms in readings:
        for name, curves in arms.items():
            found.setdefault(name, {}).update(curves)
    return found


def each(key: str, curves: Mapping[str, Curve] | Iterable[tuple[str, Curve]]) -> Readings:
    """One key of several arms."""
    return {name: {key: curve} for name, curve in dict(curves).items()}
