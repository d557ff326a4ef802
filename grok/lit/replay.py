"""Readings that a finished run lacks, from its checkpoints or by training it once more.

Where every step that is due has a checkpoint, the parameters are read from there. Otherwise the
run is replayed: on a CPU it is deterministic, so that a replay passes through the same parameters;
whether it did is checked against the last checkpoint. Nothing but readings is written.
"""

import logging
from collections.abc import Mapping, Sequence

import torch
from lightning.pytorch import Callback

from grok.checkpoints import (
    checkpoint_path,
    checkpoint_steps,
    latest_checkpoint,
    load_checkpoint,
)
from grok.config import RunConfig
from grok.keys import find_key
from grok.lit.callbacks import ProgressInHindsight
from grok.lit.device import pick_device
from grok.lit.families import measure_callbacks
from grok.lit.loggers import StoreLogger, write_readings
from grok.lit.module import BlockDataModule, Blocks, StackTask
from grok.lit.progress import ProgressLine
from grok.lit.reading import MeasureCallback
from grok.lit.signals import Interrupted, SignalCatcher
from grok.lit.status_line import StatusLine
from grok.lit.trainer import fit
from grok.measures.circuit import analyse
from grok.runs import ReadingsWriter, Run
from grok.tracking import NoTracker
from grok.training import Stack, problem_of, show, state_of

_log = logging.getLogger("grok")


def lacking(run: Run, config: RunConfig) -> dict[str, MeasureCallback]:
    """Families of which a reading is due by the run's last step and not stored."""
    last, stored = _last(run, config), run.steps_read()
    found = {}
    for family, callback in measure_callbacks(config).items():
        steps = [s for key, s in stored.items() if (row := find_key(key)) and row.family == family]
        if not set(_due_steps(callback, last)) <= set().union(*steps):
            found[family] = callback
    return found


def _last(run: Run, config: RunConfig) -> int:
    """Step to which readings are asked for; the run may have gone further."""
    return min(run.status()["step"], config.n_steps)


def _due_steps(callback: MeasureCallback, last: int) -> list[int]:
    """Steps up to ``last`` at which a callback reads."""
    steps: list[int] = []
    step: int | None = 0 if callback.schedule.is_due(0) else callback.schedule.next_due(0)
    while step is not None and step <= last:
        steps.append(step)
        step = callback.schedule.next_due(step)
    return steps


def fill(
    run: Run,
    writer: ReadingsWriter,
    config: RunConfig,
    families: Mapping[str, MeasureCallback],
    progress: bool = True,
    others: Sequence[Callback] = (),
) -> None:
    """Add the readings of families that a finished run lacks.

    Raises:
        Interrupted: After a signal; what was read is kept.
    """
    if "hindsight" in families:
        found = {"hindsight": _with_final_keys(run, config, families["hindsight"])}
        families = {**families, **found}
    kept, last = set(checkpoint_steps(run)), _last(run, config)
    stored = {
        name: callback
        for name, callback in families.items()
        if not callback.needs_update and set(_due_steps(callback, last)) <= kept
    }
    if stored:
        _measure_checkpoints(run, writer, config, stored, progress)
    if left := {name: c for name, c in families.items() if name not in stored}:
        replay(run, writer, config, left, progress, others)


def _with_final_keys(run: Run, config: RunConfig, callback: MeasureCallback) -> ProgressInHindsight:
    """The callback under the key frequencies of the run's last checkpoint."""
    stack = Stack(problem_of([config], pick_device(config.device)))
    last = latest_checkpoint(run)
    assert last is not None, "a run that has ended has a checkpoint"
    show(stack, 0, last.step, last.parameters)
    with torch.no_grad():
        return ProgressInHindsight(callback.schedule, analyse(stack.snapshot()).is_key)


def _measure_checkpoints(
    run: Run,
    writer: ReadingsWriter,
    config: RunConfig,
    families: Mapping[str, MeasureCallback],
    progress: bool,
) -> None:
    """Read families on the stored parameters of every step at which one is due."""
    stack = Stack(problem_of([config], pick_device(config.device)))
    last = _last(run, config)
    steps = sorted(set().union(*(_due_steps(c, last) for c in families.values())))
    logger, line = StoreLogger([writer], [NoTracker()]), StatusLine()
    if progress:
        line.say(f"{run.key}: reads {', '.join(families)} from its {len(steps)} checkpoints")
    with SignalCatcher() as catcher:
        for done, step in enumerate(steps):
            if catcher.caught is not None:
                writer.flush()
                raise Interrupted(catcher.caught)
            if progress and line.is_due():
                line.show(f"  {done} / {len(steps)} checkpoints")
            show(stack, 0, step, load_checkpoint(checkpoint_path(run, step)).parameters)
            snapshot = stack.snapshot()
            for callback in families.values():
                if callback.schedule.is_due(step):
                    with torch.no_grad():
                        write_readings([logger], step, callback.measure(snapshot), None)
    writer.flush()
    writer.compact()


def replay(
    run: Run,
    writer: ReadingsWriter,
    config: RunConfig,
    families: Mapping[str, MeasureCallback],
    progress: bool = True,
    others: Sequence[Callback] = (),
) -> None:
    """Train a finished run again, as far as it is asked for, and add readings of these families.

    Raises:
        Interrupted: After a signal; what was read is kept, and the next call starts over.
    """
    n_steps = _last(run, config)
    stack, data = Stack(problem_of([config], pick_device(config.device))), BlockDataModule()
    data.blocks = Blocks(0, n_steps, [c.schedule.next_due for c in families.values()])
    callbacks: list[Callback] = [*families.values(), *others]
    if progress:
        name = f"{run.key} lacks readings of {', '.join(families)} and is replayed for them"
        callbacks.append(ProgressLine([writer], n_steps, name))
    with SignalCatcher() as catcher:
        task = StackTask(stack, catcher.is_caught)
        fit(task, data, callbacks, [StoreLogger([writer], [NoTracker()])], catcher)
        writer.flush()
        if catcher.caught is not None and stack.step < n_steps:
            raise Interrupted(catcher.caught)
    writer.compact()
    if n_steps == run.status()["step"]:
        _check_same(run, stack)


def _check_same(run: Run, stack: Stack) -> None:
    """Say so when the replay ended at other parameters than the run."""
    stored = latest_checkpoint(run)
    replayed, _ = state_of(stack, 0)
    if stored is not None and any(
        not torch.allclose(x, replayed[name], rtol=0, atol=0, equal_nan=True)
        for name, x in stored.parameters.items()
    ):
        _log.warning(
            "%s: the replay ended at other parameters than the run (another machine, torch or "
            "number of threads?), so its readings belong to a slightly different run",
            run.key,
        )
