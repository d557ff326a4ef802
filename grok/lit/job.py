"""One run on its way through a trainer: what it starts from, and how it ended."""

import platform
import shutil
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import torch

from grok.checkpoints import Checkpoint, checkpoint_path, checkpoint_steps, latest_checkpoint
from grok.config import RunConfig, run_key
from grok.lit.keeper import Keeper, Series, has_generalised
from grok.lit.media import track_spectra
from grok.lit.replay import lacking
from grok.runs import (
    DONE,
    LockLost,
    ReadingsWriter,
    Run,
    RunLock,
    growth,
    keys_found,
    onsets,
    write_status,
)
from grok.tracking import Tracker
from grok.training import Stack


class Job:
    """One run with its lock, writer and the state it goes on from."""

    def __init__(self, run: Run, config: RunConfig, lock: RunLock) -> None:
        self.run, self.config, self.lock = run, config, lock
        self.writer = ReadingsWriter(run)
        self.checkpoint: Checkpoint | None = latest_checkpoint(run)
        self.tracker: Tracker | None = None
        self.ended: str | None = None

    @property
    def start(self) -> int:
        """Step it goes on from."""
        return self.checkpoint.step if self.checkpoint else 0

    def go_on(self) -> None:
        """Take up the state that was just stored, to be trained further."""
        self.checkpoint = latest_checkpoint(self.run)

    def reopen(self) -> None:
        """Go back to what is stored, as after a kill."""
        if self.tracker is not None:
            self.tracker.finish(1)
        self.tracker, self.writer = None, ReadingsWriter(self.run)
        self.checkpoint = latest_checkpoint(self.run)

    @property
    def is_over(self) -> bool:
        """Whether it has ended for good in this process."""
        return self.ended in DONE

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to train."""
        return _is_trained(self.run, self.config, self.start, self.writer.history)


def is_finished(run: Run, config: RunConfig) -> bool:
    """Whether training this run would do nothing: it is trained and lacks no reading.

    Only looks; the run need not be locked.

    Raises:
        ValueError: If a file of the run is damaged or is another run's.
    """
    if run_key(run.config) != run_key(config):
        raise ValueError(f"{run.dir / 'config.yaml'} is of another run")
    step = max(checkpoint_steps(run), default=0)
    return _is_trained(run, config, step, run.series) and not lacking(run, config)


def _is_trained(run: Run, config: RunConfig, step: int, series: Series) -> bool:
    """Whether a run whose state is that of ``step`` has nothing left to train."""
    status = run.status()["status"]
    if status != "completed":
        return status == "diverged"
    return step >= config.n_steps or has_generalised(config, series, step)


def forget(run: Run) -> None:
    """Remove what a run has stored, except its config and its lock.

    Checkpoints go before readings: a kill in between leaves a run that starts anew.
    """
    (run.dir / "status.json").unlink(missing_ok=True)
    shutil.rmtree(run.dir / "wandb", ignore_errors=True)
    for step in checkpoint_steps(run):
        checkpoint_path(run, step).unlink()
    for part in run.readings_dir.glob("*.parquet"):
        part.unlink()


def conclude(job: Job, stack: Stack, index: int, keeper: Keeper, caught: int | None) -> None:
    """Write how a run ended."""
    step = stack.run_step(index)
    extra: dict[str, Any] = {}
    if keeper.n_trained > 0 and keeper.seconds > 0:
        extra["steps_per_second"] = keeper.n_trained / keeper.seconds  # of the stack together
    if index not in keeper.stopped and (stack.ended_at[index] >= 0 or not stack.is_finite(index)):
        status = "diverged"
    elif index in keeper.stopped:
        status, extra = "completed", extra | {"stopped_by": f"stop.when={job.config.stop.when}"}
    else:
        status = "completed" if step >= job.config.n_steps else "interrupted"
    if status != "interrupted":
        job.writer.compact()
    end(job, status, step, signal=caught, **extra)


def fail(job: Job, error: BaseException) -> None:
    """Write that a run failed, as far as that works: the error itself is what counts."""
    if job.ended is not None:
        return
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
    reached, fits = onsets(job.run), growth(job.run)
    write_status(
        job.run,
        status=status,
        step=step,
        n_steps=job.config.n_steps,
        onset=reached,
        growth=fits,
        environment=environment,
        **extra,
    )
    job.ended = status
    if job.tracker is None:
        return
    track_spectra(job.tracker, job.run)
    job.tracker.summary(tracked_summary(job.run))
    job.tracker.finish(0 if job.is_over else 128 + extra["signal"] if "signal" in extra else 1)


def tracked_summary(run: Run) -> dict[str, Any]:
    """What belongs to a run as a whole, as its ``status.json`` says it, under the log keys."""
    said = run.status()
    found = {f"onset/{name}": step for name, step in said.get("onset", {}).items()}
    found |= said.get("growth", {})
    found |= {f"{family}/keys": ", ".join(keys) for family, keys in keys_found(run).items()}
    found["status"] = said["status"]
    if "steps_per_second" in said:
        found["speed/steps_per_second"] = said["steps_per_second"]
    return found
