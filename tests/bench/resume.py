"""What it costs to go on with a run, and to write its readings."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from grok.config import RunConfig, parse_run, run_key
from grok.lit.families import measure_callbacks
from grok.lit.train import train
from grok.runs import ReadingsWriter, Run, RunStore
from grok.training import Stack, problem_of
from tests.bench.protocol import Result, judge
from tests.running import assert_same

ROUNDS = 3
QUIET = ["--tracking.mode=disabled", "--device=cpu"]


def resume_cost() -> Iterator[Result]:
    """CPU seconds that a stop in the middle adds to a p = 113 run of 120 updates, in updates."""
    config = parse_run("weight_decay", [*QUIET, "--n_steps=120"])
    added = []
    with tempfile.TemporaryDirectory() as folder:
        train(config, Path(folder) / "warm", progress=False)
        for number in range(ROUNDS):
            whole, parts = (Path(folder) / f"{kind}{number}" for kind in ("whole", "parts"))
            alone = _seconds(config, whole)
            stopped = _seconds(replace(config, n_steps=60), parts)
            together = stopped + _seconds(config, parts)
            added.append((together - alone) / (alone / config.n_steps))
            assert_same(*(Run(place / run_key(config)) for place in (whole, parts)))
    what = "p = 113: one stop and resumption, in updates"
    yield judge("resume-cost", what, added, "<= 20", unit="updates")


def _seconds(config: RunConfig, runs_dir: Path) -> float:
    start = time.process_time()
    train(config, runs_dir, progress=False)
    return time.process_time() - start


def store_write() -> Iterator[Result]:
    """What the default readings of 100 updates cost to write, against the updates."""
    config = parse_run("weight_decay", QUIET)
    stack = Stack(problem_of([config]))
    snapshot = stack.snapshot()
    readings: dict[str, float] = {}
    for callback in measure_callbacks(config).values():
        readings |= {key: float(value[0]) for key, value in callback.measure(snapshot).items()}
    shares = []
    with tempfile.TemporaryDirectory() as folder:
        writer = ReadingsWriter(RunStore(Path(folder)).create(config))
        for number in range(ROUNDS):
            start = time.process_time()
            stack.advance(20)
            updates = 5 * (time.process_time() - start)
            start = time.process_time()
            for reading in range(20):
                writer.add(100 * (20 * number + reading), readings)
                writer.flush()
            shares.append((time.process_time() - start) / 20 / updates)
        assert len(writer.run.readings()) == 20 * ROUNDS
    what = f"p = 113: writing {len(readings)} readings / 100 updates"
    yield judge("store-write", what, shares, "<= 0.01", unit="")
