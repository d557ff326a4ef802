"""What a person sees while a sweep trains."""

import math
import time
from collections import Counter
from collections.abc import Mapping
from typing import Literal

from grok.lit.status_line import StatusLine, duration


class SweepProgress:
    """Counts of runs, run-steps per second and time left; and one line as each run ends.

    Args:
        name: What is being trained.
        left: Updates each run still has to do, by key, as far as the run store knows.
        status: Where it is shown; None for nowhere.
    """

    def __init__(self, name: str, left: Mapping[str, int], status: StatusLine | None) -> None:
        self.name, self.status = name, status
        self._left = dict(left)
        self._step: dict[str, int] = {}
        self._trained = 0
        self._began: float | None = None
        self.n_runs, self.n_ended = len(left), Counter[str]()

    def start(self, n_skipped: int, n_workers: int) -> None:
        """Say what is about to be done."""
        if self.status is None:
            return
        skipped = f", {n_skipped} done before" if n_skipped else ""
        runs, workers = _count(self.n_runs, "run"), _count(n_workers, "worker")
        self.status.say(f"{self.name}: {runs} to train{skipped}, {workers}")
        self.status.start()

    def step(self, key: str, step: int) -> None:
        """A run has come to this step; the first time it says where it goes on from.

        A step before the last one begins a replay, whose updates are left to do.
        """
        if key in self._step:
            done = step - self._step[key]
            self._trained += max(done, 0)
            self._left[key] -= done
        elif self._began is None:
            self._began = time.monotonic()
        self._step[key] = step

    def end(
        self, key: str, text: str, *, how: Literal["done", "failed", "busy"], step: int = 0
    ) -> None:
        """A run has ended, at this step if it is done, or is another process's."""
        self.n_ended[how] += 1
        if how == "done":
            self.step(key, max(step, self._step.get(key, step)))
        self._left.pop(key, None)
        self._step.pop(key, None)
        if self.status is not None:
            self.status.say(f"{key}: {text}")

    def show(self, n_running: int) -> None:
        """Show the line if it is due."""
        if self.status is not None and self.status.is_due():
            self.status.show(self.line(n_running, time.monotonic()))

    def close(self) -> None:
        """Leave the line."""
        if self.status is not None:
            self.status.end()

    def line(self, n_running: int, now: float) -> str:
        """The line at a time of the monotonic clock."""
        waiting = self.n_runs - self.n_ended.total() - n_running
        seconds = now - self._began if self._began is not None else 0.0
        speed = self._trained / seconds if seconds > 0 else 0.0
        left = sum(self._left.values()) / speed if speed > 0 else math.inf
        done = self.n_ended["done"]
        parts = [f"  {done} of {self.n_runs} done", f"{n_running} running", f"{waiting} left"]
        parts += [f"{self.n_ended[how]} {how}" for how in ("failed", "busy") if self.n_ended[how]]
        return " | ".join([*parts, f"{speed:.1f} steps/s", f"{duration(left)} left"])


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
