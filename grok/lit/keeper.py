"""The callback that keeps what a run needs to go on: checkpoints, readings, locks."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer

from grok.checkpoints import save_checkpoint
from grok.config import RunConfig
from grok.lit.module import StackTask
from grok.metrics.onset import sustained_onset
from grok.runs import ReadingsWriter, RunLock, write_status
from grok.runs.readings import part_paths
from grok.training import state_of

SPLITS = ("train", "test")

FLUSH_SECONDS = 3.0
"""Between two writings of the readings of a run, or a second for each run of a stack if that is
longer; each costs some milliseconds."""
MOST_PARTS = 50
"""Parts of readings that are left to a reader before they are merged."""

Series = Callable[[str], tuple[np.ndarray, np.ndarray]]


class Keeper(Callback):
    """Saves the state of each run, ends runs that are done, and the stack when told to.

    Saving happens before the next block starts, when every callback has read the last one, so
    that a checkpoint never claims a step whose readings are not on disk; readings go first.

    Args:
        writers: One per run.
        locks: One per run.
        configs: One per run.
    """

    def __init__(
        self,
        writers: Sequence[ReadingsWriter],
        locks: Sequence[RunLock],
        configs: Sequence[RunConfig],
    ) -> None:
        self.writers, self.locks, self.configs = writers, locks, configs
        self.stopped: set[int] = set()
        self.seconds = 0.0
        self.n_trained = 0
        self._start = 0
        self._began = self._saved_at = self._flushed_at = time.monotonic()
        self._saved_step = -1

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock: setting up is not training."""
        assert isinstance(pl_module, StackTask)
        self._start = pl_module.step
        self._began = self._saved_at = self._flushed_at = time.monotonic()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, *_: Any, **__: Any
    ) -> None:
        """Save what is due."""
        assert isinstance(pl_module, StackTask)
        stack, config = pl_module.stack, self.configs[0]
        self._end_generalised(pl_module)
        every = config.checkpoint.every
        is_kept = every > 0 and stack.step % every == 0
        is_late = time.monotonic() - self._saved_at >= config.checkpoint.seconds
        if (is_kept or is_late) and stack.step != self._saved_step:
            self.save(pl_module)
        elif time.monotonic() - self._flushed_at >= max(FLUSH_SECONDS, len(self.writers)):
            self._flush()

    def _flush(self) -> None:
        """Let readers of the store have the readings so far; what resumes passes them again."""
        for writer, lock in zip(self.writers, self.locks, strict=True):
            lock.verify()
            writer.flush()
            if len(part_paths(writer.run.readings_dir)) > MOST_PARTS:
                writer.compact()
        self._flushed_at = time.monotonic()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the last step."""
        assert isinstance(pl_module, StackTask)
        self.seconds = time.monotonic() - self._began
        self._end_generalised(pl_module)
        stack = pl_module.stack
        self.n_trained = sum(stack.run_step(run) - self._start for run in range(len(self.configs)))
        self.save(pl_module)

    def _end_generalised(self, module: StackTask) -> None:
        """Freeze runs whose stop rule holds."""
        for run, (config, writer) in enumerate(zip(self.configs, self.writers, strict=True)):
            if module.stack.ended_at[run] >= 0:
                continue
            if has_generalised(config, writer.history, module.step):
                self.stopped.add(run)
                module.stack.finish_run(run)

    def save(self, module: StackTask) -> None:
        """Readings, then checkpoint, then status of every run.

        Raises:
            LockLost: If another process has taken a run over.
            OSError: If the disk is full.
        """
        for run, (writer, lock) in enumerate(zip(self.writers, self.locks, strict=True)):
            lock.verify()
            writer.flush()
            step = module.stack.run_step(run)
            parameters, moments = state_of(module.stack, run)
            every = self.configs[run].checkpoint.every
            save_checkpoint(writer.run, step, parameters, moments, every)
            write_status(writer.run, status="running", step=step, n_steps=self.configs[run].n_steps)
        self._saved_at = self._flushed_at = time.monotonic()
        self._saved_step = module.stack.step


def has_generalised(config: RunConfig, series: Series, step: int) -> bool:
    """Whether the run's stop rule is satisfied by its readings up to a step.

    After a kill there may be readings beyond the checkpoint, which the run has yet to reach.

    Args:
        config: The run.
        series: Steps and values of a key: a writer's ``history`` or a stored run's ``series``.
        step: Updates done.
    """
    if config.stop.when == "never":
        return False
    rule = config.stop
    if rule.when == "decided":
        return all(_has_reached(series(f"acc/{s}"), rule.accuracy, step) for s in SPLITS)
    steps, values = series("acc/test")
    seen = steps <= step
    return sustained_onset(steps[seen], values[seen], rule.accuracy, n=rule.readings) is not None


def _has_reached(series: tuple[np.ndarray, np.ndarray], accuracy: float, step: int) -> bool:
    steps, values = series
    return bool((values[: np.searchsorted(steps, step, side="right")] >= accuracy).any())
