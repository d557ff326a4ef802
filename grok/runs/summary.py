"""What happened in a run, from its readings: onset times and last values."""

from typing import Any, Literal, NamedTuple

from grok.metrics.onset import onset, sustained_onset
from grok.runs.run import Run


class Event(NamedTuple):
    """A threshold that a series of readings may reach."""

    key: str
    threshold: float
    direction: Literal["above", "below"]


EVENTS: dict[str, Event] = {
    "train_acc_99": Event("acc/train", 0.99, "above"),
    "test_acc_99": Event("acc/test", 0.99, "above"),
    "train_loss_0.1": Event("loss/train", 0.1, "below"),
    "test_loss_0.1": Event("loss/test", 0.1, "below"),
    "train_loss_0.01": Event("loss/train", 0.01, "below"),
    "test_loss_0.01": Event("loss/test", 0.01, "below"),
}
"""Onset names, without the ``onset/`` before them."""

SUSTAINED_READINGS = 5
"""Readings in a row that make an onset sustained."""


def onsets(run: Run) -> dict[str, int | None]:
    """First step at which each event was read; None if it never was up to the last reading.

    A name ending in ``_sustained`` asks for five readings in a row. ``delay`` is the step of
    ``test_acc_99`` minus that of ``train_acc_99``. All have the resolution of the schedule of
    ``measures.task``.
    """
    found: dict[str, int | None] = {}
    table = run.readings()
    for name, event in EVENTS.items():
        if event.key not in table.columns:
            found |= {name: None, f"{name}_sustained": None}
            continue
        series = table.select("step", event.key).drop_nulls()
        steps, values = series["step"].to_numpy(), series[event.key].to_numpy()
        found[name] = onset(steps, values, event.threshold, event.direction)
        found[f"{name}_sustained"] = sustained_onset(
            steps, values, event.threshold, event.direction, n=SUSTAINED_READINGS
        )
    train, test = found["train_acc_99"], found["test_acc_99"]
    found["delay"] = None if train is None or test is None else test - train
    return found


def summary(run: Run) -> dict[str, Any]:
    """The run as one object: what ``grok train --json`` prints."""
    status = run.status()
    return {
        "run": run.key,
        "dir": str(run.dir),
        "status": status["status"],
        "step": status["step"],
        "n_steps": run.config.n_steps,
        "onset": onsets(run),
        "final": run.final(),
        "steps_per_second": status.get("steps_per_second"),
    }
