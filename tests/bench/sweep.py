"""The case of sweeps: one-thread processes against threads, and beside other work."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from grok.config import FAMILIES, RunConfig, parse_run, with_seed
from grok.lit.train import train
from grok.runs import RunStore
from grok.sweep import run_local
from tests.bench.protocol import Result, judge
from tests.running import assert_same

ROUNDS = 4
SPIN = "while True: pass"


def processes_vs_threads(n_steps: int = 150, rounds: int = ROUNDS, *flags: str) -> Iterator[Result]:
    """Two one-thread workers, one process of two threads, and two workers on a busy machine.

    Args:
        n_steps: Updates of each run; 150 at p = 113 take some ten seconds.
        rounds: How often each of the three is timed, in turn.
        flags: Further fields of the run.
    """
    quiet = [f"--measures.{family}.enabled=false" for family in FAMILIES]
    quiet += [f"--n_steps={n_steps}", "--tracking.mode=disabled", "--device=cpu"]
    config = parse_run("weight_decay", [*quiet, *flags])
    _assert_same_bytes(config)
    two_runs, two_threads = [config, with_seed(config, 1)], [replace(config, threads=2)]
    against_threads, beside_work, rates = [], [], {}
    for _ in range(rounds):
        rates = {"threads": _rate(two_threads, 1), "free": _rate(two_runs, 2)}
        with subprocess.Popen([sys.executable, "-c", SPIN]) as spinning:
            try:
                rates["busy"] = _rate(two_runs, 2)
            finally:
                spinning.kill()
        against_threads.append(rates["free"] / rates["threads"])
        beside_work.append(rates["busy"] / rates["free"])
    what = "p = 113: two one-thread workers / two threads"
    yield judge("processes-vs-threads", what, against_threads, ">= 1.05", detail=rates)
    what = "p = 113: two workers with one core taken / free"
    yield judge("processes-vs-threads", what, beside_work, ">= 0.4", detail=rates)


def _rate(configs: Sequence[RunConfig], workers: int) -> float:
    """Run-steps per second of a sweep, the start of its processes aside."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_local(configs, Path(folder), workers=workers, progress=False)
        assert len(outcome.finished) == len(configs), outcome
        return sum(run.status()["steps_per_second"] for run in RunStore(folder).runs())


def _assert_same_bytes(config: RunConfig) -> None:
    """A worker computes what ``grok train`` does."""
    config = replace(config, n_steps=2)
    with tempfile.TemporaryDirectory() as folder:
        alone = train(config, Path(folder) / "alone", progress=False)
        run_local([config], Path(folder) / "swept", progress=False)
        [swept] = RunStore(Path(folder) / "swept").runs()
        assert_same(swept, alone)
