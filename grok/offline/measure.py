"""Every measure that applies, on a checkpoint."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from grok.config import MeasuresConfig, RunConfig
from grok.config.measures import ON_ANY_PROBLEM, ProgressConfig
from grok.inputs import InputError
from grok.measures import MEASURES, Readings
from grok.offline.source import DataOptions, Loaded, ModelOptions, Source
from grok.offline.split import inferred_split
from grok.training import Stack, problem_of, show

COSTLY = ("kernel", "hessian")
"""Families that are read only if they are named."""

NEEDS_SPLIT = ("norm/grad", "progress/excluded_single", "progress/excluded_max")
"""Beginnings of keys that depend on the split without naming it."""


class Measured(NamedTuple):
    """What was read on one checkpoint."""

    source: Source
    checkpoint: Loaded
    keys: list[int]
    """Key frequencies; empty where there are none, or none were looked for."""
    readings: dict[str, float]


def measure(
    found: Sequence[Source],
    data: DataOptions,
    model: ModelOptions,
    *,
    families: Sequence[str] = (),
    keys: Sequence[int] | None = (),
    rule: str = "L",
    tell: Callable[[int], None] = lambda done: None,
) -> Iterator[Measured]:
    """Readings of checkpoints, one after another.

    Args:
        found: Checkpoints.
        data: Data of those that are not of a run of ours.
        model: What is said of models whose files do not.
        families: Families to read; none for all that apply but :data:`COSTLY`.
        keys: Key frequencies for all checkpoints; empty for those of the last checkpoint, as the
            curves of Nanda et al. 2023 have them; None for those of each checkpoint by itself.
        rule: Where key frequencies are found: L, E or N.
        tell: Called with the number of checkpoints that are done.

    Raises:
        InputError: If a file cannot be used; those before it have been given then.
    """
    if unknown := [name for name in families if name not in MEASURES]:
        raise InputError(f"no family {unknown[0]!r}; there are: {', '.join(MEASURES)}")
    for source in found:
        _check_families(source, families)
    chosen = [name for name in MEASURES if name in families] or [
        name for name in MEASURES if name not in COSTLY
    ]
    has_circuit = "progress" in chosen and not _has_sequences(found[-1].run)
    if keys == () and len(found) > 1 and has_circuit:
        last = _measure(found[-1], data, model, ["progress"], (), rule)
        keys = tuple(last.keys)
    for done, source in enumerate(found, 1):
        yield _measure(source, data, model, chosen, tuple(keys or ()), rule)
        tell(done)


def _measure(
    source: Source,
    data: DataOptions,
    model: ModelOptions,
    families: Sequence[str],
    keys: tuple[int, ...],
    rule: str,
) -> Measured:
    loaded = source.load(data, model)
    if not loaded.has_split:
        loaded = inferred_split(loaded)
    config = _measuring(loaded.config, keys, rule)
    stack = Stack(problem_of([config]))
    show(stack, 0, loaded.step or 0, loaded.parameters)
    snapshot = stack.snapshot()
    readings: dict[str, float] = {}
    with torch.no_grad():
        for family in _that_apply(families, config, is_ours=source.run is not None):
            readings |= _values(MEASURES[family](snapshot))
    kept = {key: x for key, x in readings.items() if _is_known(key, loaded, source)}
    chosen = [int(k.rpartition("/")[2]) for k, x in kept.items() if _is_key(k) and x == 1]
    return Measured(source, loaded, chosen, {k: x for k, x in kept.items() if not _is_key(k)})


def _has_sequences(run: RunConfig | None) -> bool:
    return run is not None and run.problem != "pairs"


def _check_families(source: Source, families: Sequence[str]) -> None:
    """Refuse families that are asked for and cannot be read."""
    wrong = [name for name in families if name not in ON_ANY_PROBLEM]
    if wrong and source.run is not None and _has_sequences(source.run):
        raise InputError(
            f"family {wrong[0]} needs pairs (a, b), and {source.file} is of a run of "
            f"{source.run.problem}; allowed: {', '.join(ON_ANY_PROBLEM)}"
        )


def _measuring(config: RunConfig, keys: tuple[int, ...], rule: str) -> RunConfig:
    """The config with progress measures switched on where they exist."""
    measures = MeasuresConfig()
    if config.problem == "pairs" and config.data.operation in ("add", "sub"):
        progress = ProgressConfig(enabled=True, keys=keys, rule=rule)  # pyright: ignore
        measures = MeasuresConfig(progress=progress)
    try:
        return replace(config, measures=measures)
    except ValueError as error:
        raise InputError(str(error)) from error


def _that_apply(families: Sequence[str], config: RunConfig, is_ours: bool) -> list[str]:
    if config.problem != "pairs":
        return [family for family in families if family in ON_ANY_PROBLEM]
    operation = config.data.operation
    lacking = {"kernel"} if not is_ours else set()
    lacking |= {"fourier"} if operation == "compose" else set()
    lacking |= {"progress"} if operation not in ("add", "sub") else set()
    return [family for family in families if family not in lacking]


def _values(readings: Readings) -> dict[str, float]:
    return {key: float(x[0]) for key, x in readings.items()}


def _is_key(name: str) -> bool:
    return name.startswith("progress/key/")


def _is_known(key: str, loaded: Loaded, source: Source) -> bool:
    """Whether a reading rests on nothing that is not known."""
    if key == "norm/change" and source.run is None:
        return False  # its initialisation is not known
    if loaded.has_split:
        return True
    parts = key.split("/")
    return not any(p.startswith(("train", "test")) for p in parts) and not key.startswith(
        NEEDS_SPLIT
    )
