"""Lightning callbacks. They decide *when*; :mod:`grok.measures` says *what*.

They work on a :class:`~grok.lit.module.StackTask` as it is, and on any other LightningModule
once told where in it the embedding, the scores or the pre-logits are. Readings go to the
trainer's loggers with the step at which they were taken. Reading changes nothing in the run.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from grok.config import RunConfig, Schedule
from grok.lit.loggers import write_readings
from grok.lit.module import StackTask
from grok.measures import (
    Measure,
    Snapshot,
    attention_saturation,
    compressibility,
    fourier_components,
    norm_growth,
    task,
)

Find = Callable[[LightningModule], Any]


class MeasureCallback(Callback):
    """Reads a measure whenever its schedule says that the step is due.

    Args:
        measure: Function from a snapshot to named scalars; the names become log keys.
        schedule: When it is due.
        parts: What a module that is not a :class:`StackTask` offers: arguments of
            :class:`~grok.measures.Snapshot`, each a function of the module.
    """

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
    if isinstance(part, Tensor):
        return part.detach().unsqueeze(0)
    if isinstance(part, dict):
        return {name: _stacked(value) for name, value in part.items()}
    return type(part)(_stacked(value) for value in part)


def step_of(trainer: Trainer, pl_module: LightningModule) -> int:
    """Updates done: a stack counts its own, for other modules the trainer does."""
    return pl_module.step if isinstance(pl_module, StackTask) else trainer.global_step


class TaskReadings(MeasureCallback):
    """Loss and accuracy on the training and test pairs."""

    def __init__(self, schedule: Schedule | None = None, predictions: Find | None = None) -> None:
        super().__init__(task, schedule, predictions=predictions)


class NormGrowth(MeasureCallback):
    """Norms of the parameters, in total and per tensor, of their gradient and last update.

    Works on any LightningModule that makes one update per batch; the gradient is read for a
    :class:`StackTask` only, since another module's training loss is its own affair.
    """

    def __init__(self, schedule: Schedule | None = None) -> None:
        super().__init__(norm_growth, schedule)
        self._before: tuple[int, dict[str, Tensor]] | None = None

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, *_: Any, **__: Any
    ) -> None:
        """Keep the parameters if the coming update is to be measured."""
        step = step_of(trainer, pl_module)
        if isinstance(pl_module, StackTask) or not self.schedule.is_due(step + 1):
            return
        self._before = (step, {n: p.detach().clone() for n, p in pl_module.named_parameters()})

    def snapshot(self, pl_module: LightningModule, step: int) -> Snapshot:
        """Adds the last update."""
        self.parts.pop("delta", None)
        if self._before is not None and self._before[0] == step - 1:
            before = self._before[1]
            self.parts["delta"] = lambda module: {
                name: p.detach() - before[name] for name, p in module.named_parameters()
            }
        return super().snapshot(pl_module, step)


class AttentionSaturation(MeasureCallback):
    """Entropy of the attention patterns and their distance to the saturated pattern.

    Args:
        schedule: When it is read.
        scores: For a module of your own: attention scores before the softmax on a fixed probe,
            one ``[batch, head, query, key]`` per layer, masked entries -inf.
    """

    def __init__(self, schedule: Schedule | None = None, scores: Find | None = None) -> None:
        super().__init__(attention_saturation, schedule, scores=scores)


class FourierComponents(MeasureCallback):
    """Power of the embedding per frequency of Z_p.

    Args:
        schedule: When it is read.
        embedding: For a module of your own: rows for 0, ..., p - 1, ``[p, d_model]``.
    """

    def __init__(self, schedule: Schedule | None = None, embedding: Find | None = None) -> None:
        super().__init__(fourier_components, schedule, embedding=embedding)


class Compressibility(MeasureCallback):
    """Ranks and tail exponent of what the unembedding reads.

    Args:
        schedule: When it is read.
        pre_logits: For a module of your own: features ``[batch, d_model]`` by split.
    """

    def __init__(self, schedule: Schedule | None = None, pre_logits: Find | None = None) -> None:
        super().__init__(compressibility, schedule, pre_logits=pre_logits)


FAMILY_CALLBACKS: dict[str, type[Any]] = {
    "task": TaskReadings,
    "norm": NormGrowth,
    "attention": AttentionSaturation,
    "fourier": FourierComponents,
    "compress": Compressibility,
}
"""Callback of each measure family, under the family's name in the config."""


def measure_callbacks(config: RunConfig) -> dict[str, MeasureCallback]:
    """By name, one callback per enabled family that can be read on this run."""
    families = {f.name: getattr(config.measures, f.name) for f in fields(config.measures)}
    if config.data.operation == "compose":
        del families["fourier"]  # the basis is that of Z_p
    return {
        name: FAMILY_CALLBACKS[name](family.schedule)
        for name, family in families.items()
        if family.enabled
    }
