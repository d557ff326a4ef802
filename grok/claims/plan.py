"""Which runs a set of claims needs: cells of sweeps, each trained once for all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from math import gcd
from typing import TypeVar

from grok.claims.claim import SEEDS, Arm, Claim
from grok.config import FamilyConfig, MeasuresConfig, RunConfig, Schedule, run_key
from grok.config.schema import with_seed
from grok.inputs import InputError
from grok.sweep import read_sweep

Family = TypeVar("Family", bound=FamilyConfig)


@dataclass(frozen=True)
class Plan:
    """The runs of some claims."""

    cells: dict[tuple[str, str], dict[int, RunConfig]]
    """By claim and arm: the run of each seed."""
    configs: list[RunConfig]
    """Every run once, long enough and with every measure that one of the claims asks for; the
    longest first, so that no worker begins one when the others are done."""


def make_plan(claims: Iterable[Claim], seeds: Sequence[int] = ()) -> Plan:
    """Runs of the claims.

    Args:
        claims: Those to be judged.
        seeds: Seeds instead of those of each claim's tier.

    Raises:
        ValueError: If the flags of an arm do not leave one cell of its sweep.
    """
    cells: dict[tuple[str, str], dict[int, RunConfig]] = {}
    parsed: dict[tuple[str, tuple[str, ...]], RunConfig] = {}  # claims share most of their arms
    for claim in claims:
        for name, arm in claim.arms.items():
            if (arm.sweep, arm.flags) not in parsed:
                parsed[arm.sweep, arm.flags] = _cell(claim, name, arm)
            config = replace(parsed[arm.sweep, arm.flags], n_steps=arm.n_steps)
            chosen = seeds or claim.seeds or SEEDS[claim.tier]
            cells[claim.id, name] = {seed: with_seed(config, seed) for seed in chosen}
    merged: dict[str, RunConfig] = {}
    for runs in cells.values():
        for config in runs.values():
            key = run_key(config)
            merged[key] = union(merged[key], config) if key in merged else config
    return Plan(cells, sorted(merged.values(), key=lambda config: -config.n_steps))


def _cell(claim: Claim, name: str, arm: Arm) -> RunConfig:
    """The cell of an arm. It is parsed for one seed: a seed changes nothing else."""
    # Verdicts come from the run store; nobody watches these runs.
    flags = ["--tracking.mode=disabled", *arm.flags, "--seeds=0"]
    runs = read_sweep(arm.sweep).runs(flags)
    if len(runs) != 1:
        raise ValueError(f"{claim.id}, {name}: {len(runs)} cells of {arm.sweep}, not one")
    return runs[0].config


def union(x: RunConfig, y: RunConfig) -> RunConfig:
    """One run for two purposes: the longer, with the readings of both.

    Args:
        x: A run.
        y: The same run (same key) with other lengths, measures or checkpoints.
    """
    measures = {
        f.name: _family(getattr(x.measures, f.name), getattr(y.measures, f.name))
        for f in fields(MeasuresConfig)
    }
    return replace(
        x,
        n_steps=max(x.n_steps, y.n_steps),
        measures=MeasuresConfig(**measures),
        checkpoint=replace(x.checkpoint, every=gcd(x.checkpoint.every, y.checkpoint.every)),
        stop=x.stop if x.stop == y.stop else replace(x.stop, when="never"),
    )


def _family(x: Family, y: Family) -> Family:
    """A family read for both; what is not read has no say in the schedule."""
    if not (x.enabled and y.enabled):
        return x if x.enabled else y
    schedule = Schedule(
        dense=max(x.schedule.dense, y.schedule.dense),
        every=gcd(x.schedule.every, y.schedule.every),
        per_decade=_finer(x.schedule.per_decade, y.schedule.per_decade),
    )
    return replace(x, schedule=schedule)


def _finer(x: int, y: int) -> int:
    """Points per decade that contain both grids: their least common multiple."""
    return x * y // gcd(x, y) if x and y else max(x, y)


def absent_data(configs: Iterable[RunConfig]) -> dict[str, str]:
    """Runs whose data are not on this machine, by key, with one line that says what is missing.

    Args:
        configs: The runs. Data that are made up, as most are, are always there.
    """
    asked: dict[tuple[str, ...], str] = {}
    found: dict[str, str] = {}
    for config in (config for config in configs if config.problem in ("images", "language")):
        source = (config.images.source, config.images.directory)
        if config.problem == "language":
            text = config.text
            source = ("text", text.source, text.trained_part, text.directory)
        if source not in asked:
            asked[source] = _why_absent(config)
        if asked[source]:
            found[run_key(config)] = asked[source]
    return found


def _why_absent(config: RunConfig) -> str:
    from grok.data.images import check_present  # brings torch
    from grok.data.text_files import text_files

    try:
        if config.problem == "language":
            text_files(config.text)
        else:
            check_present(config.images)
    except InputError as error:
        return str(error)
    return ""
