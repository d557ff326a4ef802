"""The callback that reads a measure when its schedule says so."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from grok.config import Schedule
from grok.lit.loggers import write_readings
from grok.lit.module import StackTask
from grok.measures import Measure, Snapshot

Find = Callable[[LightningModule], Any]


class MeasureCallback(Callback):
    """Reads a measure whenever its schedule says that the step is due.

    Args:
        measure: Function from a snapshot to named scalars; the names become log keys.
        schedule: When it is due.
        parts: What a module that is not a :class:`StackTask` offers: arguments of
            :class:`~grok.measures.Snapshot`, each a function of the module.
    """

    needs_update = False
    """Whether it reads what an update changed, which no checkpoint tells."""
    is_afterwards = False
    """Whether it can be read only when the run has ended."""

    def __init__(
        self, measure: Measure, schedule: Schedule | None = None, **parts: Find | None
    ) -> None:
        self.measure = measure
        self.schedule = schedule or Schedule()
        self.parts = {name: find for name, find in parts.items() if find is not None}
        self._last_read: int | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the initialisation, which growth is relative to."""
        self._last_read = None
        self._read_if_due(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *_: Any, **__: Any
    ) -> None:
        """Read the model if this step is due."""
        self._read_if_due(trainer, pl_module)

    def _read_if_due(self, trainer: Trainer, pl_module: LightningModule) -> None:
        step = step_of(trainer, pl_module)
        # With gradient accumulation several batches end at one step.
        if step == self._last_read or not self.schedule.is_due(step):
            return
        self._last_read = step
        snapshot = self.snapshot(pl_module, step)
        with torch.no_grad():
            write_readings(trainer.loggers, step, self.measure(snapshot), snapshot.active)

    def snapshot(self, pl_module: LightningModule, step: int) -> Snapshot:
        """The stack's own snapshot, or one made of the parts that were named."""
        if isinstance(pl_module, StackTask):
            return pl_module.snapshot()
        params = {name: p.detach().unsqueeze(0) for name, p in pl_module.named_parameters()}
        sources: dict[str, Any] = {
            name: partial(_find, find, pl_module) for name, find in self.parts.items()
        }
        return Snapshot(step, params, **sources)


def _find(find: Find, pl_module: LightningModule) -> Any:
    """A part of a module in evaluation mode, with the ``run`` axis put before its tensors."""
    modes = {module: module.training for module in pl_module.modules()}
    pl_module.eval()
    try:
        return _stacked(find(pl_module))
    finally:
        for module, was_training in modes.items():
            module.training = was_training


def _stacked(part: Any) -> Any:
    if part is None:
        return None
    if isinstance(part, Tensor):
        return part.detach().unsqueeze(0)
    if isinstance(part, Mapping):
        return {name: _stacked(value) for name, value in part.items()}
    if callable(part):
        return partial(_of_one_run, part)
    each = [_stacked(value) for value in part]
    return type(part)(*each) if hasattr(part, "_fields") else type(part)(each)


def _of_one_run(f: Callable[[Mapping[str, Tensor]], Any], params: Mapping[str, Tensor]) -> Any:
    """A function of parameters with the ``run`` axis put before each of its outputs, flat."""
    output = f({name: x.squeeze(0) for name, x in params.items()})
    if isinstance(output, Mapping):
        return {name: x.reshape(1, -1) for name, x in output.items()}
    return output.reshape(1, -1)


def step_of(trainer: Trainer, pl_module: LightningModule) -> int:
    """Updates done: a stack counts its own, for other modules the trainer does."""
    return pl_module.step if isinstance(pl_module, StackTask) else trainer.global_step
