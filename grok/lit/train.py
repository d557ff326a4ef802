"""Training runs into a run store: the one path from a config to readings."""

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback

from grok.config import RunConfig, Schedule, TrackingConfig
from grok.lit.capacity import capacity
from grok.lit.device import pick_device
from grok.lit.families import measure_callbacks
from grok.lit.job import Job, conclude, fail, forget
from grok.lit.keeper import Keeper
from grok.lit.loggers import StoreLogger
from grok.lit.media import AttentionImages
from grok.lit.module import BlockDataModule, Blocks, StackTask
from grok.lit.progress import ProgressLine
from grok.lit.reading import MeasureCallback
from grok.lit.replay import fill, lacking
from grok.lit.signals import Interrupted, SignalCatcher
from grok.lit.trainer import fit
from grok.runs import Run, RunLock, RunStore, default_runs_dir
from grok.tracking import Tracker, make_tracker
from grok.training import Stack, is_sparse, is_unfinished, problem_of, restore
from grok.training.memory import keep_freed_memory


def train(
    config: RunConfig,
    runs_dir: Path | str | None = None,
    *,
    retrain: bool = False,
    progress: bool = True,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """Train one run, or go on with it, and return it.

    A run that is finished is not trained again. Readings that it lacks are added: from its
    checkpoints where they cover the steps, otherwise the run is replayed for them. One that was
    interrupted goes on from its last checkpoint, and its readings then equal those of an
    uninterrupted run.

    The process is set to ``config.threads`` CPU threads and flushes denormal numbers, since
    both change the bytes of the result.

    Args:
        config: The run.
        runs_dir: Run store; default ``$GROK_RUNS`` or ``runs/``.
        retrain: Forget what is stored and start anew.
        progress: Show progress on standard error.
        callbacks: Further Lightning callbacks.

    Raises:
        RunLocked: If another process trains it.
        Interrupted: After a signal; the run is stored and can be resumed.
        OSError: If the disk is full.
    """
    return train_stack([config], runs_dir, retrain=retrain, progress=progress, callbacks=callbacks)[
        0
    ]


def train_stack(
    configs: Sequence[RunConfig],
    runs_dir: Path | str | None = None,
    *,
    retrain: bool = False,
    progress: bool = True,
    callbacks: Sequence[Callback] = (),
    on_end: Callable[[Run], None] = lambda run: None,
    tracker_of: Callable[[Run, TrackingConfig], Tracker] = make_tracker,
) -> list[Run]:
    """Train runs together as one tensor program; see :func:`train`.

    Runs that are done are left out, and runs that stand at different steps go on in separate
    stacks, one after another. When half of a stack is over, the others go on without it. On a CUDA
    device a stack has no more runs than there is memory for; one that runs out of it all the same
    goes on in halves, from what is stored.

    Args:
        configs: The runs; see :func:`~grok.training.check_stackable`.
        runs_dir: See :func:`train`, like the following ones.
        retrain: Forget what is stored and start anew.
        progress: Show progress on standard error.
        callbacks: Further Lightning callbacks.
        on_end: Called with each run as soon as nothing is left to do for it.
        tracker_of: Makes the tracker of a run that is trained.

    Raises:
        ValueError: If the runs cannot share a stack, or two of them are the same run.
        torch.OutOfMemoryError: If not even one of them fits.
    """
    torch.set_flush_denormal(True)  # before the first parallel operation, or it holds for one
    torch.set_num_threads(configs[0].threads)
    keep_freed_memory()
    store = RunStore(Path(runs_dir) if runs_dir is not None else default_runs_dir())
    with ExitStack() as locks:
        runs = [store.create(config) for config in configs]
        if len({run.key for run in runs}) < len(runs):
            raise ValueError("the same run twice in one stack")
        jobs = []
        for index, config in enumerate(configs):
            lock = locks.enter_context(RunLock(runs[index].dir))
            run = runs[index] = store.update_config(runs[index], config)
            if retrain:
                forget(run)
            jobs.append(Job(run, config, lock))
        left = [job for job in jobs if not job.is_done]
        for job in (job for job in jobs if job not in left):
            _fill(job, progress, callbacks)
            on_end(job.run)
        most = len(left)
        if left:
            most = capacity([job.config for job in left], pick_device(configs[0].device))
        while left:
            step = min(job.start for job in left)
            together = [job for job in left if job.start == step][:most]
            try:
                caught = _train_jobs(together, progress, callbacks, tracker_of)
            except torch.OutOfMemoryError:
                if len(together) == 1:
                    raise
                most = _halve(together)
                continue
            left = [job for job in left if not job.is_over]
            if caught is not None and left:
                raise Interrupted(caught)
            for job in (job for job in together if job.is_over):
                _fill(job, progress, callbacks)
                on_end(job.run)
    return runs


def _halve(jobs: Sequence[Job]) -> int:
    """Put the runs of a stack back that was too large, and say so; how many are tried next."""
    half = len(jobs) // 2
    print(f"grok: no memory for a stack of {len(jobs)} runs; going on with {half}", file=sys.stderr)
    for job in jobs:
        job.reopen()
    return half


def _fill(job: Job, progress: bool, callbacks: Sequence[Callback]) -> None:
    """Add the readings that a run lacks which is trained."""
    if families := lacking(job.run, job.config):
        fill(job.run, job.writer, job.config, families, progress, callbacks)


def _train_jobs(
    jobs: list[Job],
    progress: bool,
    callbacks: Sequence[Callback],
    tracker_of: Callable[[Run, TrackingConfig], Tracker],
) -> int | None:
    """Train runs that stand at the same step; the signal that came meanwhile.

    Ends before the last step when half of the runs are over: those that are not go on in a smaller
    stack, from the state that was just stored.
    """
    configs = [job.config for job in jobs]
    stack, data = Stack(problem_of(configs, pick_device(configs[0].device))), BlockDataModule()
    for index, job in enumerate(jobs):
        if job.checkpoint is not None:
            restore(
                stack,
                index,
                job.checkpoint.step,
                job.checkpoint.parameters | job.checkpoint.moments,
            )
    with SignalCatcher() as catcher:
        writers = [job.writer for job in jobs]
        keeper = Keeper(writers, [job.lock for job in jobs], configs)
        found = measure_callbacks(configs[0])
        measures = {name: c for name, c in found.items() if not c.is_afterwards}
        own = [*measures.values(), *callbacks, keeper]
        if progress:
            own.append(ProgressLine(writers, configs[0].n_steps, jobs[0].run.key))
        task = StackTask(stack, lambda: catcher.is_caught() or is_sparse(stack))
        data.blocks = Blocks(stack.step, configs[0].n_steps, _boundaries(configs[0], own))
        try:
            for job in jobs:
                job.tracker = job.tracker or tracker_of(job.run, job.config.tracking)
            trackers = [job.tracker for job in jobs if job.tracker]
            if "attention" in measures and any(tracker.takes_media for tracker in trackers):
                own.append(AttentionImages(measures["attention"].schedule, trackers))
            if stack.step < configs[0].n_steps:
                fit(task, data, own, [StoreLogger(writers, trackers)], catcher)
            for index, job in enumerate(jobs):
                if catcher.caught is None and is_unfinished(stack, index):
                    job.go_on()
                else:
                    conclude(job, stack, index, keeper, catcher.caught)
        except BaseException as error:
            is_tried_again = isinstance(error, torch.OutOfMemoryError) and len(jobs) > 1
            for job in [] if is_tried_again else jobs:
                fail(job, error)
            raise
        return catcher.caught


def _boundaries(config: RunConfig, callbacks: Iterable[Callback]) -> list[Any]:
    """What a block may not run across: due readings and checkpoints that are kept."""
    due = [c.schedule.next_due for c in callbacks if isinstance(c, MeasureCallback)]
    return [*due, Schedule(every=config.checkpoint.every).next_due]
