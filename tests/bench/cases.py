"""The cases of ``make bench``. Each first checks that what it times computes the same."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from grok.config import RunConfig, Schedule, parse_run
from grok.lit.families import measure_callbacks
from grok.lit.keeper import Keeper
from grok.lit.loggers import StoreLogger
from grok.lit.module import BlockDataModule, Blocks, StackTask
from grok.lit.reading import MeasureCallback
from grok.lit.signals import SignalCatcher
from grok.lit.trainer import fit
from grok.measures import MEASURES, MissingPart
from grok.runs import ReadingsWriter, RunLock, RunStore
from grok.tracking import make_tracker
from tests.bench.dynamics import dynamics_share
from tests.bench.forms import forms
from tests.bench.gpu import gpu_stack
from tests.bench.language import language
from tests.bench.progress import progress_reading, progress_share
from tests.bench.protocol import Result, interleaved, judge, output_and_peak
from tests.bench.report import report
from tests.bench.resume import resume_cost, store_write
from tests.bench.saturation import saturation_reading
from tests.bench.seconds import seconds_to_grok
from tests.bench.sweep import processes_vs_threads
from tests.bench.sweep_overhead import sweep_overhead
from tests.bench.toy import toy_stack_vs_loop
from tests.builders import make_stack


class _Clock(Callback):
    """CPU seconds between the start and the end of training, set-up aside."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.start = time.process_time()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.seconds = time.process_time() - self.start


class _NearEmpty:
    """Stands in for a stack: an update of about a tenth of a millisecond."""

    def __init__(self) -> None:
        self.step, self.alive = 0, torch.ones(1, dtype=torch.bool)
        self.device = torch.device("cpu")
        self.w = torch.zeros(64, requires_grad=True)

    def advance(self, n_steps: int, should_stop: Callable[[], bool] = lambda: False) -> None:
        for _ in range(n_steps):
            if should_stop():
                break
            loss = (self.w - 1).square().sum()
            (gradient,) = torch.autograd.grad(loss, [self.w])
            with torch.no_grad():
                self.w -= 0.01 * gradient
            self.step += 1


def overhead_near_empty() -> Iterator[Result]:
    """What Lightning adds to a step that costs almost nothing."""
    data, n_steps = BlockDataModule(), 4000

    def bare() -> float:
        start, stack = time.process_time(), _NearEmpty()
        stack.advance(n_steps)
        return time.process_time() - start

    def lightning(k: int) -> float:
        clock, stack = _Clock(), _NearEmpty()
        data.blocks = Blocks(0, n_steps, longest=k)
        fit(StackTask(stack), data, [clock], [], SignalCatcher())  # type: ignore[arg-type]
        assert stack.step == n_steps
        return clock.seconds

    bare()
    lightning(100)
    for k, target in ((1, "<= 250"), (10, "<= 35"), (100, "<= 15")):
        excess = [(lightning(k) - bare()) / n_steps * 1e6 for _ in range(9)]
        what = f"near-empty step, K = {k}: Lightning over a bare loop"
        yield judge("overhead", what, excess, target, unit="us/step")


def overhead_training() -> Iterator[Result]:
    """Lightning, logging and checkpoints at p = 113, with readings that cost nothing.

    A fit is compared with the updates inside it: two passes of the same updates, one after the
    other, differ by more than what is sought.
    """
    config = parse_run("weight_decay", ["--checkpoint.seconds=5"])
    shares = []
    for _ in range(4):
        with tempfile.TemporaryDirectory() as folder:
            whole, updates = _fit_with_free_readings(config, 250, Path(folder))
        shares.append(whole / updates - 1)
    what = "p = 113: Lightning, logging, W&B and checkpoints"
    yield judge("overhead", what, shares[1:], "<= 0.02", unit="")


def _fit_with_free_readings(config: RunConfig, n_steps: int, folder: Path) -> tuple[float, float]:
    """CPU seconds of a fit that writes every default reading, and of the updates inside it."""
    stack = make_stack(config)
    snapshot = stack.snapshot()
    measures: list[MeasureCallback] = [
        _Free(callback.measure(snapshot), callback.schedule)
        for callback in measure_callbacks(config).values()
    ]
    advance, seconds = stack.advance, []

    def timed(n: int, should_stop: Callable[[], bool]) -> None:
        start = time.process_time()
        advance(n, should_stop)
        seconds.append(time.process_time() - start)

    stack.advance = timed  # type: ignore[method-assign]
    run = RunStore(folder).create(config)
    clock, data = _Clock(), BlockDataModule()
    with RunLock(run.dir) as lock, SignalCatcher() as catcher:
        writer, tracker = ReadingsWriter(run), make_tracker(run, config.tracking)
        keeper = Keeper([writer], [lock], [config])
        data.blocks = Blocks(0, n_steps, [m.schedule.next_due for m in measures])
        logger, task = StoreLogger([writer], [tracker]), StackTask(stack, catcher.is_caught)
        fit(task, data, [clock, *measures, keeper], [logger], catcher)
        tracker.finish(0)
    return clock.seconds, sum(seconds)


class _Free(MeasureCallback):
    """Readings that are already there."""

    def __init__(self, ready: dict[str, torch.Tensor], schedule: Schedule) -> None:
        super().__init__(lambda _: ready, schedule)


def measures_share() -> Iterator[Result]:
    """One reading of what is read by default against 100 training steps; each family's part."""
    config = parse_run("weight_decay")
    default = [MEASURES[name] for name in measure_callbacks(config)]
    stack = make_stack(config)
    stack.advance(20)

    def read() -> None:
        snapshot = stack.snapshot()
        for measure in default:
            measure(snapshot)

    table = interleaved({"read": read, "steps": lambda: stack.advance(10)})
    shares = [row["read"] / (10 * row["steps"]) for row in table]
    detail = {}
    for name, measure in MEASURES.items():
        snapshot = stack.snapshot()
        start = time.process_time()
        with suppress(MissingPart):  # a family that this network has no part for
            measure(snapshot)
            detail[f"{name} (ms)"] = 1e3 * (time.process_time() - start)
    yield judge(
        "measures-share",
        "default measures at every 100 steps / training",
        shares,
        "<= 0.08",
        unit="",
        detail=detail,
    )


def memory() -> Iterator[Result]:
    """Peak memory of a whole run in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["train", "readout_scale", "--n_steps=60", f"--runs_dir={folder}", "--json"]
        _, peak = output_and_peak([_grok(), *command])
    yield judge("memory", "p = 113, one run: peak resident memory", [peak], "<= 1", unit="GiB")


def startup() -> Iterator[Result]:
    """Commands that must answer at once."""
    for arguments in (["--help"], ["list"], ["list", "runs"]):
        seconds = []
        for _ in range(7):
            start = time.perf_counter()
            subprocess.run([_grok(), *arguments], check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
        what = "grok " + " ".join(arguments)
        yield judge("startup", what, seconds, "<= 1", unit="s")


def _grok() -> str:
    return str(Path(sys.executable).parent / "grok")


CASES: dict[str, list[Callable[[], Iterator[Result]]]] = {
    "overhead": [overhead_near_empty, overhead_training],
    "folded-vs-full": [forms],
    "measures-share": [measures_share],
    "norm-dynamics": [dynamics_share],
    "saturation": [saturation_reading],
    "progress-share": [progress_share],
    "progress-reading": [progress_reading],
    "toy-stack-vs-loop": [toy_stack_vs_loop],
    "language": [language],
    "gpu-stack": [gpu_stack],
    "resume-cost": [resume_cost],
    "store-write": [store_write],
    "seconds-to-grok": [seconds_to_grok],
    "memory": [memory],
    "startup": [startup],
    "processes-vs-threads": [processes_vs_threads],
    "sweep-overhead": [sweep_overhead],
    "report": [report],
}
