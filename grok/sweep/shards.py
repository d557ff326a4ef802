"""The runs of a sweep divided among machines, stack by stack."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from grok.config import RunConfig, run_key
from grok.sweep.estimate import run_seconds
from grok.sweep.local import stacks_of
from grok.sweep.state import run_state


class Shard(NamedTuple):
    """What one machine trains."""

    configs: list[RunConfig]
    """The runs, those of a stack side by side."""
    seconds: float
    """Wall-clock time that they would take it, roughly."""


def shards_of(
    configs: Sequence[RunConfig],
    runs_dir: Path,
    n: int,
    *,
    workers: int = 1,
    on_cuda: bool = False,
    retrain: bool = False,
) -> list[Shard]:
    """The runs that are not done, in shards of about the same time; a stack stays whole.

    Args:
        configs: The runs; of two with the same key the first is taken.
        runs_dir: Run store.
        n: How many machines at most, 1 or more.
        workers: Processes of each.
        on_cuda: Whether they train on CUDA devices.
        retrain: Take the runs that are done, too.

    Returns:
        Up to ``n`` shards, none of them empty; none at all if every run is done.
    """
    jobs: dict[str, RunConfig] = {}
    for config in configs:
        jobs.setdefault(run_key(config), config)
    states = {key: run_state(config, runs_dir) for key, config in jobs.items()}
    todo = {k: c for k, c in jobs.items() if retrain or states[k].state != "done"}
    steps = {k: 0 if retrain else c.n_steps - states[k].left for k, c in todo.items()}
    stacks = stacks_of(todo, steps, workers, machines=n, on_cuda=on_cuda)
    of_run = run_seconds(list(todo.values()), runs_dir, retrain=retrain)
    seconds = [sum(of_run[run_key(config)] for config in stack) for stack in stacks]
    return [
        _shard([stacks[at] for at in places], [seconds[at] for at in places], workers)
        for places in _divided(seconds, n)
    ]


def _divided(seconds: Sequence[float], n: int) -> list[list[int]]:
    """Places of the items in up to ``n`` parts of about the same sum: the longest item first."""
    parts: list[list[int]] = [[] for _ in range(min(n, len(seconds)))]
    sums = [0.0] * len(parts)
    for at in sorted(range(len(seconds)), key=lambda at: -seconds[at]):
        # Of equal sums the part with fewer items, so that none stays empty.
        part = min(range(len(parts)), key=lambda i: (sums[i], len(parts[i])))
        parts[part].append(at)
        sums[part] += seconds[at]
    return sorted(sorted(part) for part in parts)


def _shard(stacks: list[list[RunConfig]], seconds: list[float], workers: int) -> Shard:
    configs = [config for stack in stacks for config in stack]
    return Shard(configs, max(sum(seconds) / workers, max(seconds)))
