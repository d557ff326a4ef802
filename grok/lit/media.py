"""What a tracker gets besides curves: spectra as tables, attention patterns as images.

Both are of few steps, see :meth:`grok.config.Schedule.is_landmark`, which depend on the schedules
alone: a run that is resumed has the same.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from jaxtyping import Float
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from grok.config import Schedule
from grok.lit.module import StackTask
from grok.measures.attention import grey, mean_map, pair_map
from grok.runs import Run
from grok.tracking import Tracker
from grok.tracking.panels import spectra
from grok.training import PairProblem

_LEGEND = "a block a head; black 0, white 1"


class AttentionImages(Callback):
    """Images of each layer's attention pattern, as ``pattern/<layer>``.

    On pairs, how much ``=`` attends to a and to b, for all (a, b); elsewhere the mean over the
    examples whose attention is read. Of the forward pass that the readings of attention need.

    Args:
        schedule: When attention is read.
        trackers: One per run.
    """

    def __init__(self, schedule: Schedule, trackers: Sequence[Tracker]) -> None:
        self.schedule, self.trackers = schedule, trackers

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the initialisation."""
        self._show(pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *_: Any, **__: Any
    ) -> None:
        """Show the model if its step is a landmark."""
        self._show(pl_module)

    def _show(self, module: LightningModule) -> None:
        assert isinstance(module, StackTask)
        if not self.schedule.is_landmark(module.step):
            return
        alive = module.stack.alive.tolist()
        takers = [i for i, t in enumerate(self.trackers) if t.takes_media and alive[i]]
        if not takers:
            return
        maps, caption = _maps(module)
        pixels = [grey(layer).cpu().numpy() for layer in maps]
        for i in takers:
            images = {f"pattern/{layer}": shades[i] for layer, shades in enumerate(pixels)}
            self.trackers[i].images(module.step, images, f"step {module.step}: {caption}")


def _maps(module: StackTask) -> tuple[list[Float[Tensor, "run row col"]], str]:
    """By layer the image of each run, and what it shows."""
    patterns = [scores.softmax(dim=-1) for scores in module.snapshot().scores]
    problem = module.stack.problem
    if isinstance(problem, PairProblem):
        a, b, n = problem.a, problem.b, problem.model.n
        what = "attention of = to a (above) and to b (below); a down, b across"
        return [pair_map(pattern, a, b, n) for pattern in patterns], f"{what}, {_LEGEND}"
    what = "mean attention; query down, key across"
    return [mean_map(pattern) for pattern in patterns], f"{what}, {_LEGEND}"


def track_spectra(tracker: Tracker, run: Run) -> None:
    """Hand the stored spectra of a run to a tracker, each as one table ``spectrum/<name>``.

    A table has a row for each landmark and element. It is handed over when the run stops, with
    all steps so far: W&B cannot append to a table, so that each further one would be a whole copy.
    A tracker that takes no media gets none, and the run is not read.

    Raises:
        ValueError: If a part of the readings is damaged.
    """
    if not tracker.takes_media:
        return
    series = run.all_series()
    for panel in spectra():
        name, _, field = panel.keys[0].rpartition("/")
        is_landmark = cache(getattr(run.config.measures, panel.family).schedule.is_landmark)
        rows = [
            {"step": step, field.strip("<>"): int(key.rpartition("/")[2]), "value": value}
            for key in panel.of(series)
            for step, value in zip(*(column.tolist() for column in series[key]), strict=True)
            if is_landmark(step)
        ]
        tracker.table(f"spectrum/{name}", sorted(rows, key=lambda row: row["step"]))
