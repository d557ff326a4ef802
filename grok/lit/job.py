"""One run on its way through a trainer: what it starts from, and how it ended."""

import platform
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import torch

from grok.checkpoints import Checkpoint, checkpoint_path, checkpoint_steps, latest_checkpoint
from grok.config import RunConfig
from grok.lit.keeper import Keeper, has_generalised
from grok.runs import LockLost, ReadingsWriter, Run, RunLock, onsets, write_status
from grok.tracking import Tracker
from grok.training import Stack


class Job:
    """One run with its lock, writer and the state it goes on from."""

    def __init__(self, run: Run, config: RunConfig, lock: RunLock) -> None:
        self.run, self.config, self.lock = run, config, lock
        self.writer = ReadingsWriter(run)
        self.checkpoint: Checkpoint | None = latest_checkpoint(run)
        self.tracker: Tracker | None = None
        self.is_over = False

    @property
    def start(self) -> int:
        """Step it goes on from."""
        return self.checkpoint.step if self.checkpoint else 0

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to train."""
        status = self.run.status()
        if status["status"] == "diverged":
            return True
        reached = self.start >= self.config.n_steps or has_generalised(self.config, self.writer)
        return status["status"] == "completed" and reached


def forget(run: Run) -> None:
    """Remove what a run has stored, except its config and its lock."""
    (run.dir / "status.json").unlink(missing_ok=True)
    for step in checkpoint_steps(run):
        checkpoint_path(run, step).unlink()
    for part in run.readings_dir.glob("*.parquet"):
        part.unlink()


def conclude(
    job: Job, stack: Stack, index: int, keeper: Keeper, speed: float, caught: int | None
) -> None:
    """Write how a run ended."""
    step = stack.run_step(index)
    extra: dict[str, Any] = {"steps_per_second": speed}
    if stack.ended_at[index] >= 0 and index not in keeper.stopped:
        status = "diverged"
    elif index in keeper.stopped:
        status, extra = "completed", extra | {"stopped_by": "stop.when=sustained"}
    else:
        status = "completed" if step >= job.config.n_steps else "interrupted"
    if status != "interrupted":
        job.writer.compact()
    end(job, status, step, signal=caught, **extra)


def fail(job: Job, error: BaseException) -> None:
    """Write that a run failed, as far as that works: the error itself is what counts."""
    # On a full disk this cannot be written either, and a run taken over is another's.
    with suppress(OSError, ValueError, LockLost):
        job.lock.verify()
        end(job, "failed", job.run.status()["step"], error=str(error))


def end(job: Job, status: Any, step: int, **extra: Any) -> None:
    """Status, then the tracker's summary and end."""
    extra = {name: value for name, value in extra.items() if value is not None}
    environment = {
        "torch": torch.__version__,
        "grok": version("grokking-lab"),
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
    }
    reached = onsets(job.run)
    job.is_over = status in ("completed", "diverged")
    write_status(
        job.run,
        status=status,
        step=step,
        n_steps=job.config.n_steps,
        onset=reached,
        environment=environment,
        **extra,
    )
    if job.tracker is None:
        return
    found = {f"onset/{name}": value for name, value in reached.items()}
    found["status"] = status
    if "steps_per_second" in extra:
        found["speed/steps_per_second"] = extra["steps_per_second"]
    job.tracker.summary(found)
    job.tracker.finish(0 if job.is_over else 128 + extra["signal"] if "signal" in extra else 1)
