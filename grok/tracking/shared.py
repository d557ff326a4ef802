"""One W&B run for several runs: what an agent's command trains."""

import heapq
import math
from collections.abc import Mapping, Sequence

from grok.tracking.base import NoTracker, Pixels, Tracker

Rows = Mapping[int, Mapping[str, float]]
"""Readings by step."""


class SharedTracker:
    """Hands the mean over several runs to the tracker of one; of a lone run, its readings.

    A step is handed on when every run is past it or over. The mean of a key is over the runs
    that have read it at that step, so behind the end of a run it is over the others. Images are
    those of a lone run; several have none.

    Args:
        tracker: Where the means go.
        stored: What is stored of each run already; a copy that is new gets this too.
        after: Last step that the copy has; only later ones are handed on.
    """

    def __init__(self, tracker: Tracker, stored: Sequence[Rows], after: int = -1) -> None:
        self._tracker = tracker
        self._rows: dict[int, dict[int, dict[str, float]]] = {}  # by step and run
        self._steps: list[int] = []  # a heap of those steps
        self._last = after
        self._images: dict[int, tuple[Mapping[str, Pixels], str]] = {}
        for index, rows in enumerate(stored):
            self.fill(index, rows)
        self._reached: list[float] = [-1.0] * len(stored)

    def part(self, index: int) -> Tracker:
        """The tracker of one of the runs; its ``finish`` says that this run is over."""
        return _Part(self, index)

    def take(self, index: int, step: int, values: Mapping[str, float]) -> None:
        """Take readings of one run."""
        self._add(index, step, values)
        self._reached[index] = max(self._reached[index], step)
        self._hand_on()

    @property
    def takes_media(self) -> bool:
        """Whether there is one run alone, and its tracker takes them."""
        return len(self._reached) == 1 and self._tracker.takes_media

    def take_images(self, step: int, images: Mapping[str, Pixels], caption: str) -> None:
        """Take images of a lone run, to be handed on behind the readings of their step."""
        if self.takes_media:
            self._images[step] = images, caption

    def fill(self, index: int, rows: Rows) -> None:
        """Take what is stored of a run, as far as it is not handed on yet."""
        for step, values in rows.items():
            self._add(index, step, values)

    def end(self, index: int) -> None:
        """No more comes from this run."""
        self._reached[index] = math.inf
        self._hand_on()

    def end_all(self) -> None:
        """No more comes from any run."""
        for index in range(len(self._reached)):
            self.end(index)

    def _add(self, index: int, step: int, values: Mapping[str, float]) -> None:
        if step <= self._last:
            return
        if step not in self._rows:
            heapq.heappush(self._steps, step)
        self._rows.setdefault(step, {}).setdefault(index, {}).update(values)

    def _hand_on(self) -> None:
        """The steps that no run can add to."""
        while self._steps and self._steps[0] < min(self._reached):
            step = self._last = heapq.heappop(self._steps)
            rows = list(self._rows.pop(step).values())
            keys = dict.fromkeys(key for row in rows for key in row)
            self._tracker.log(step, {key: _mean(key, rows) for key in keys})
            if step in self._images:
                self._tracker.images(step, *self._images.pop(step))


def _mean(key: str, rows: Sequence[Mapping[str, float]]) -> float:
    values = [row[key] for row in rows if key in row]
    return sum(values) / len(values)


class _Part(NoTracker):
    """One run's side of a shared tracker; summary and table are of all runs."""

    def __init__(self, shared: SharedTracker, index: int) -> None:
        self._shared, self._index = shared, index
        self.takes_media = shared.takes_media

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._shared.take(self._index, step, values)

    def images(self, step: int, images: Mapping[str, Pixels], caption: str) -> None:
        self._shared.take_images(step, images, caption)

    def finish(self, exit_code: int) -> None:
        self._shared.end(self._index)
