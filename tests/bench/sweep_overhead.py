"""The case of a sweep's own cost: many runs that have next to nothing to do."""

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from grok.config import FAMILIES, RunConfig, parse_run, with_seed
from grok.lit.train import train
from grok.sweep import run_local
from tests.bench.protocol import Result, judge
from tests.running import FLAGS

N_RUNS = 1000
N_ALONE = 200
N_TRACKED = 30
PERIOD = 0.25
"""Seconds between two looks at the memory."""


def sweep_overhead(n_runs: int = N_RUNS) -> Iterator[Result]:
    """What ``grok sweep run`` adds to each run, the start of its worker included.

    The runs' own time is that of the same runs in a loop in this process, one half of which comes
    before the sweep and one after it.
    """
    configs = _near_empty(n_runs)
    alone = _each(configs[: N_ALONE // 2])
    with tempfile.TemporaryDirectory() as folder, _memory() as resident:
        start = time.perf_counter()
        outcome = run_local(configs, Path(folder), workers=1, progress=False)
        swept = (time.perf_counter() - start) / n_runs
        assert len(outcome.finished) == n_runs, outcome.failed
    alone += _each(configs[: N_ALONE // 2])
    own = statistics.mean(alone)
    what = f"{n_runs} near-empty runs: added to each"
    detail = {"own_ms": 1e3 * own, "swept_ms": 1e3 * swept}
    yield judge("sweep-overhead", what, [1e3 * (swept - own)], "<= 20", unit="ms", detail=detail)
    half = len(resident) // 2
    growth = max(resident[half:]) - max(resident[:half])
    what = "growth of its own memory in the second half"
    yield judge("sweep-overhead", what, [growth], "<= 4", unit="MiB")
    yield _tracked(configs[:N_TRACKED])


def _tracked(configs: Sequence[RunConfig]) -> Result:
    """What tracking offline adds to a run in the same process; there is no target for it."""
    offline = [replace(c, tracking=replace(c.tracking, mode="offline")) for c in configs]
    _each(offline[:1])  # starts W&B's service
    pairs = [_pair(*each) for each in zip(configs, offline, strict=True)]
    added = [1e3 * (tracked - alone) for alone, tracked in pairs]
    value, what = statistics.median(added), "tracking offline: added to each, the reading included"
    return Result("sweep-overhead", what, value, min(added), max(added), "none", True, unit="ms")


def _pair(config: RunConfig, offline: RunConfig) -> tuple[float, float]:
    return _each([config])[0], _each([offline])[0]


def _near_empty(n_runs: int) -> list[RunConfig]:
    """Runs of one update on 49 pairs without readings, that differ by their seeds."""
    quiet = [f"--measures.{family}.enabled=false" for family in FAMILIES]
    config = parse_run("weight_decay", [*quiet, *FLAGS, "--n_steps=1", "--device=cpu"])
    return [with_seed(config, seed) for seed in range(n_runs)]


def _each(configs: Sequence[RunConfig]) -> list[float]:
    """Seconds of each run, one after another in this process."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for config in configs:
            start = time.perf_counter()
            train(config, Path(folder), progress=False)
            seconds.append(time.perf_counter() - start)
    return seconds


@contextmanager
def _memory() -> Iterator[list[float]]:
    """Resident MiB of this process, taken again and again meanwhile."""
    found: list[float] = []
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(PERIOD):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            found.append(pages * 4096 / 2**20)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        is_over.set()
        thread.join()
