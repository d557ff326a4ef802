"""Every measure that applies, on a checkpoint."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from grok.config import MeasuresConfig, RunConfig
from grok.config.measures import FamilyConfig, IrrepConfig, ProgressConfig, readable_on
from grok.inputs import InputError
from grok.measures import MEASURES, Readings, Snapshot
from grok.measures.circuit import analyse
from grok.offline.source import DataOptions, Loaded, ModelOptions, Source
from grok.offline.split import inferred_split
from grok.training import Stack, problem_of, show

COSTLY = ("kernel", "hessian", "ablation", "saturation", "homogeneity")
"""Families that are read only if they are named."""

OF_CIRCUIT = ("progress", "ablation")
"""Families of addition and subtraction, under a set of key frequencies."""

NEEDS_SPLIT = (
    "norm/grad",
    "progress/excluded_single",
    "progress/excluded_max",
    "irrep/excluded_single",
    "irrep/excluded_max",
    "irrep/restricted_single",
)
"""Beginnings of keys that depend on the split without naming it."""

KEYED = ("progress", "irrep")
"""Families with keys: frequencies, and names of irreducible representations."""

Keys = Mapping[str, tuple[str, ...]]
"""Keys by family."""


class Measured(NamedTuple):
    """What was read on one checkpoint."""

    source: Source
    checkpoint: Loaded
    keys: Keys
    """Keys of each family that was read and has such."""
    readings: dict[str, float]


def measure(
    found: Sequence[Source],
    data: DataOptions,
    model: ModelOptions,
    *,
    families: Sequence[str] = (),
    keys: Sequence[str] | None = (),
    rule: str = "L",
    tell: Callable[[int], None] = lambda done: None,
) -> Iterator[Measured]:
    """Readings of checkpoints, one after another.

    Args:
        found: Checkpoints.
        data: Data of those that are not of a run of ours.
        model: What is said of models whose files do not.
        families: Families to read; none for all that apply but :data:`COSTLY`. On addition
            ``irrep`` says what ``progress`` does and is read only if it is named.
        keys: Key frequencies or representations for all checkpoints; empty for those of the last
            checkpoint, as the curves of Nanda et al. 2023 have them; None for those of each
            checkpoint by itself.
        rule: Where key frequencies are found: L, E or N.
        tell: Called with the number of checkpoints that are done.

    Raises:
        InputError: If a file cannot be used; those before it have been given then.
    """
    if unknown := [name for name in families if name not in MEASURES]:
        raise InputError(f"no family {unknown[0]!r}; there are: {', '.join(MEASURES)}")
    for source in found:
        _check_families(source, families)
    asked = _Asked(
        [name for name in MEASURES if name in families],
        dict.fromkeys(KEYED, tuple(keys or ())),
        rule,
    )
    wanted = {"progress" if name in OF_CIRCUIT else name for name in families or KEYED}
    keyed = [name for name in KEYED if name in wanted]
    if keys == () and len(found) > 1 and keyed:
        last = _measure(found[-1], data, model, asked._replace(families=keyed))
        asked = asked._replace(keys=last.keys)
    for done, source in enumerate(found, 1):
        yield _measure(source, data, model, asked)
        tell(done)


def _check_families(source: Source, families: Sequence[str]) -> None:
    """Refuse families that are asked for and cannot be read."""
    if source.run is None:
        return
    allowed = readable_on(source.run.problem)
    if wrong := [name for name in families if name not in allowed]:
        raise InputError(
            f"family {wrong[0]} cannot be read on {source.file}, of a run of "
            f"{source.run.problem}; allowed: {', '.join(allowed)}"
        )


class _Asked(NamedTuple):
    """What is asked for."""

    families: list[str]
    """Those that were named; empty for all that apply."""
    keys: Keys
    rule: str

    def that_apply(self, config: RunConfig, is_ours: bool) -> list[str]:
        """Families that can be read on a run."""
        operation = config.data.operation
        lacking = {"kernel"} if not is_ours else set()
        lacking |= {"fourier"} if operation == "compose" else set()
        lacking |= {"hindsight"}  # the curve of a folder is under the keys of its last checkpoint
        lacking |= {"dynamics"}  # no checkpoint tells what every update did
        lacking |= set(OF_CIRCUIT) if operation not in ("add", "sub") else set()
        lacking |= {"ablation"} if config.model.n_layers > 1 else set()
        lacking |= {"irrep"} if not config.data.table_group else set()
        lacking |= {*OF_CIRCUIT, "irrep"} if config.model.attn_only else set()
        lacking |= set(MEASURES) - set(readable_on(config.problem))
        unasked = {*COSTLY, "irrep"} if operation == "add" else {*COSTLY}
        chosen = self.families or [name for name in MEASURES if name not in unasked]
        return [family for family in chosen if family not in lacking]


def _measure(source: Source, data: DataOptions, model: ModelOptions, asked: _Asked) -> Measured:
    loaded = source.load(data, model)
    if not loaded.has_split:
        loaded = inferred_split(loaded)
    families = asked.that_apply(loaded.config, is_ours=source.run is not None)
    config = _measuring(loaded.config, families, asked)
    stack = Stack(problem_of([config]))
    show(stack, 0, loaded.step or 0, loaded.parameters)
    snapshot = stack.snapshot()
    readings: dict[str, float] = {}
    with torch.no_grad():
        for family in families:
            readings |= _values(MEASURES[family](snapshot))
        keys = {family: _keys(family, readings) for family in KEYED if family in families}
        if "ablation" in families:
            keys["progress"] = keys.get("progress") or _key_frequencies(snapshot)
    kept = {key: x for key, x in readings.items() if _is_known(key, loaded, source)}
    return Measured(source, loaded, keys, {k: x for k, x in kept.items() if "/key/" not in k})


def _measuring(config: RunConfig, families: Sequence[str], asked: _Asked) -> RunConfig:
    """The config with the measures switched on that need keys."""
    measures = MeasuresConfig()
    try:
        if set(OF_CIRCUIT) & set(families):
            keys = _frequencies(asked.keys.get("progress", ()))
            progress = ProgressConfig(enabled=True, keys=keys, rule=asked.rule)  # pyright: ignore
            ablation = FamilyConfig(enabled="ablation" in families)
            measures = replace(measures, progress=progress, ablation=ablation)
        if "irrep" in families:
            irrep = IrrepConfig(enabled=True, keys=asked.keys.get("irrep", ()))
            measures = replace(measures, irrep=irrep)
        return replace(config, measures=measures)
    except ValueError as error:
        raise InputError(str(error)) from error


def _frequencies(keys: Sequence[str]) -> tuple[int, ...]:
    if wrong := [key for key in keys if not (key.isascii() and key.isdigit())]:
        raise InputError(f"keys={wrong[0]}: allowed are last, each, or numbers such as 14,35,41")
    return tuple(int(key) for key in keys)


def _keys(family: str, readings: Mapping[str, float]) -> tuple[str, ...]:
    """The keys that the readings of a family have marked."""
    start = f"{family}/key/"
    return tuple(k.removeprefix(start) for k, x in readings.items() if k.startswith(start) and x)


def _key_frequencies(snapshot: Snapshot) -> tuple[str, ...]:
    """Key frequencies of a network of which no reading names them."""
    return tuple(map(str, analyse(snapshot).is_key[0].nonzero().flatten().tolist()))


def _values(readings: Readings) -> dict[str, float]:
    return {key: float(x[0]) for key, x in readings.items()}


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
