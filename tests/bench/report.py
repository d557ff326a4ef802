"""The case of pages: what a report of stored runs costs, in seconds and bytes."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from grok.cli.pages import subject_of
from grok.cli.report import parse
from grok.config import parse_run, with_seed
from grok.report.page.document import render
from grok.runs import Run, RunStore, write_atomic, write_status
from grok.runs.readings import SCHEMA, part_path, write_part
from grok.sweep import read_sweep
from tests.bench.protocol import Result, judge

_CURVES = ("loss/train", "loss/test", "acc/train", "acc/test")
_MEASURES = (
    "norm/theta/all",
    "norm/grad/all",
    "norm/delta/all",
    "attn/entropy/0",
    "sat/attn_tv/0",
    "fourier/c",
    "compress/effective_rank/train",
    "compress/effective_rank/test",
    "compress/alpha/test",
    "shortcut/loss/legacy/train",
    *(f"norm/theta/{name}" for name in ("W_E", "W_pos", "W_Q", "W_K", "W_V", "W_O", "W_U")),
    *(f"fourier/power/{k}" for k in range(1, 57)),
)
N_STEPS = 10_000


def report() -> Iterator[Result]:
    """Pages of a run, a sweep and a diagram, and reading the store; made-up readings."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _sweep(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield from _diagram(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield from _thousand(Path(folder))


def _sweep(store: Path) -> Iterator[Result]:
    """Five groups of 35 seeds, with a reading of each curve at each step."""
    seeds = ",".join(map(str, range(35)))
    found = read_sweep("inductive_bias/readout_scale").runs([f"--seeds={seeds}"])
    chosen = [cell.config for cell in found][:175]
    for number, config in enumerate(chosen):
        _fill(RunStore(store).create(config), number)
    words = [run.key for run in RunStore(store).runs()]
    seconds, size = _page(words, store)
    yield judge(
        "report", "page of a 175-run sweep, 10,000 readings a curve", [seconds], "<= 20", unit="s"
    )
    yield judge("report", "its size", [size], "<= 15", unit="MB")
    seconds, _ = _page(words[:1], store)
    yield judge("report", "page of one run", [seconds], "<= 3", unit="s")


def _diagram(store: Path) -> Iterator[Result]:
    """A grid of 40 x 40 cells of the addition model."""
    values = [f"{rate:.6f}" for rate in np.geomspace(1e-5, 1e-2, 40)]
    listed = f"{{values: [{', '.join(values)}]}}"
    file = store / "rates.yaml"
    file.write_text(
        "method: grid\n"
        'command: ["${env}", grok, train, effective_theory/toy_addition, "${args}"]\n'
        f"parameters:\n  optim.embed_lr: {listed}\n  optim.lr: {listed}\n"
    )
    for number, cell in enumerate(read_sweep(str(file)).cells([])):
        _fill(RunStore(store).create(cell.config), number, n_readings=300, measures=("repr/rqi",))
    seconds, _ = _page([str(file)], store, "--diagram")
    yield judge("report", "page of a diagram of 1,600 cells", [seconds], "<= 10", unit="s")


def _thousand(store: Path) -> Iterator[Result]:
    config = parse_run("effective_theory/toy_addition", [])
    for seed in range(1000):
        run = RunStore(store).create(with_seed(config, seed))
        _fill(run, seed, n_readings=450, measures=())

    def read() -> None:
        for run in RunStore(store).runs():
            run.status()
            run.all_series()

    seconds = [_timed(read) for _ in range(5)]
    yield judge("report", "status and all readings of 1,000 runs", seconds, "<= 2", unit="s")


def _page(words: Sequence[str], store: Path, *flags: str) -> tuple[float, float]:
    """Seconds in which a page is made, and its megabytes."""
    options, fields = parse([*words, f"--runs_dir={store}", *flags], "bench")
    text: list[str] = []
    seconds = _timed(lambda: text.append(render(subject_of(options.what, fields, options).build())))
    return seconds, len(text[0]) / 1e6


def _timed(act: Callable[[], Any]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _fill(
    run: Run, number: int, n_readings: int = N_STEPS, measures: Sequence[str] = _MEASURES
) -> None:
    """Readings as a run of that length would have them."""
    generator = np.random.default_rng(number)
    dense = np.arange(n_readings) * (N_STEPS // n_readings)
    sparse = np.arange(0, N_STEPS + 1, 200)
    parts = [(key, dense) for key in _CURVES] + [(key, sparse) for key in measures]
    frames = []
    for key, steps in parts:
        values = (
            1 / (1 + np.exp(-(steps - 2000 - 10 * number) / 300))
            + generator.random(len(steps)) / 100
        )
        frames.append(
            pl.DataFrame({"step": steps, "key": [key] * len(steps), "value": values}, schema=SCHEMA)
        )
    run.readings_dir.mkdir(exist_ok=True)
    write_atomic(part_path(run.readings_dir, 1), write_part(pl.concat(frames)))
    write_status(run, status="completed", step=N_STEPS)
