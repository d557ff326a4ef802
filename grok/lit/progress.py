"""Callbacks that show or tell how far a stack has come."""

import io
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from grok.config import run_key
from grok.lit.module import StackTask
from grok.lit.status_line import StatusLine, duration
from grok.runs import ReadingsWriter


class ProgressLine(Callback):
    """Step, losses, accuracies, speed and time left.

    Args:
        writers: Where the latest readings are looked up; of a stack the first run's are shown.
        n_steps: Updates in all.
        name: What is being trained.
        stream: Where it is printed.
    """

    def __init__(
        self,
        writers: Sequence[ReadingsWriter],
        n_steps: int,
        name: str,
        stream: io.TextIOBase | None = None,
    ) -> None:
        self.writers, self.n_steps, self.name = writers, n_steps, name
        self.status = StatusLine(stream)
        self._began = 0.0
        self._first = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        assert isinstance(pl_module, StackTask)
        self._began = time.monotonic()
        self.status.start()
        self._first = pl_module.step
        where = f", resumed at step {self._first:,}" if self._first else ""
        runs = f" and {len(self.writers) - 1} more" if len(self.writers) > 1 else ""
        form = getattr(pl_module.stack.problem, "form", None)  # of networks on pairs
        how = f", {form} form" if form else ""
        self.status.say(f"{self.name}{runs}: {self.n_steps:,} steps{how}{where}")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *_: Any, **__: Any
    ) -> None:
        """Show where the stack is, if the last time is long enough ago."""
        assert isinstance(pl_module, StackTask)
        if self.status.is_due():
            self.status.show(self.line(pl_module.step, time.monotonic() - self._began))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the live line."""
        self.status.end()

    def line(self, step: int, seconds: float) -> str:
        """One line of progress.

        Args:
            step: Updates done.
            seconds: Since training began or was resumed.
        """
        speed = (step - self._first) / max(seconds, 1e-9)
        left = (self.n_steps - step) / speed if speed > 0 else math.inf
        parts = [f"  {step:>7,} / {self.n_steps:,} ({step / self.n_steps:4.0%})"]
        parts.append(f"{duration(left)} left")
        for split in ("train", "test"):
            loss, acc = (self._last(f"{what}/{split}") for what in ("loss", "acc"))
            if loss is not None and acc is not None:
                parts.append(f"{split} loss {loss:.3g} acc {acc:.3f}")
        parts.append(f"{speed:.1f} steps/s")
        return " | ".join(parts)

    def _last(self, key: str) -> float | None:
        _, values = self.writers[0].history(key)
        return float(values[-1]) if len(values) else None


class StepReport(Callback):
    """Tells a function the steps now and then, until the training is told to stop.

    Args:
        tell: Called with the updates done of each run, by its key, before the first one and then
            after blocks. A run that is frozen has done all of its own.
        period: Seconds between two calls, at least.
    """

    def __init__(self, tell: Callable[[dict[str, int]], None], period: float = 0.5) -> None:
        self.tell, self.period = tell, period
        self._told = 0.0
        self._keys: list[str] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell where the training begins."""
        assert isinstance(pl_module, StackTask)
        self._keys = [run_key(config) for config in pl_module.stack.configs]
        self._tell(pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *_: Any, **__: Any
    ) -> None:
        """Tell the step, if the last time is long enough ago."""
        if time.monotonic() - self._told >= self.period:
            self._tell(pl_module)

    def _tell(self, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, StackTask)
        self._told = time.monotonic()
        if not pl_module.should_stop():
            stack = pl_module.stack
            self.tell({key: stack.run_step(run) for run, key in enumerate(self._keys)})
