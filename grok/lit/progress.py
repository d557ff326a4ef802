"""What a person sees while a stack trains: a live line on a terminal, sparse lines elsewhere.

Everything goes to standard error; standard output belongs to results.
"""

import io
import math
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from grok.lit.module import StackTask
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
        self.stream = stream or sys.stderr
        self.is_live = self.stream.isatty()
        self.period = 0.2 if self.is_live else 10.0
        self._began = self._shown = 0.0
        self._first = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        assert isinstance(pl_module, StackTask)
        self._began = self._shown = time.monotonic()
        self._first = pl_module.step
        where = f", resumed at step {self._first:,}" if self._first else ""
        runs = f" and {len(self.writers) - 1} more" if len(self.writers) > 1 else ""
        print(f"{self.name}{runs}: {self.n_steps:,} steps{where}", file=self.stream, flush=True)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *_: Any, **__: Any
    ) -> None:
        """Show where the stack is, if the last time is long enough ago."""
        assert isinstance(pl_module, StackTask)
        now = time.monotonic()
        if now - self._shown < self.period:
            return
        self._shown = now
        self.show(self.line(pl_module.step, now - self._began))

    def show(self, text: str) -> None:
        """Print a line, on a terminal over the one before."""
        end = "" if self.is_live else "\n"
        if self.is_live:
            # A line that wraps could not be taken back.
            text = "\r\x1b[2K" + text[: self._columns() - 1]
        print(text, end=end, file=self.stream, flush=True)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the live line."""
        if self.is_live:
            print(file=self.stream, flush=True)

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

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or 80
        except OSError:
            return 80

    def _last(self, key: str) -> float | None:
        _, values = self.writers[0].history(key)
        return float(values[-1]) if len(values) else None


def duration(seconds: float) -> str:
    """Seconds as 0:42 or 1:02:03; a question mark where unknown."""
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
