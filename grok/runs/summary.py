"""What happened in a run, from its readings: onset times and last values."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from grok.metrics.onset import onset, sustained_onset
from grok.metrics.phases import Phases, phases
from grok.metrics.slingshot import Slingshots, slingshots
from grok.runs.growth import growth
from grok.runs.run import Run, Series


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
    return onsets_of(run.all_series())


def onsets_of(readings: Mapping[str, Series]) -> dict[str, int | None]:
    """What :func:`onsets` says, of readings by key."""
    found: dict[str, int | None] = {}
    for name, event in EVENTS.items():
        if event.key not in readings:
            found |= {name: None, f"{name}_sustained": None}
            continue
        steps, values = readings[event.key]
        found[name] = onset(steps, values, event.threshold, event.direction)
        found[f"{name}_sustained"] = sustained_onset(
            steps, values, event.threshold, event.direction, n=SUSTAINED_READINGS
        )
    train, test = found["train_acc_99"], found["test_acc_99"]
    found["delay"] = None if train is None or test is None else test - train
    return found


def phase_ends(run: Run) -> Phases | None:
    """Ends of memorization, circuit formation and cleanup, by what was read in hindsight.

    They have the resolution of the schedules of ``task``, ``norm`` and ``hindsight``.

    Returns:
        None if one of the three readings that they rest on was not taken.
    """
    return phase_ends_of(run.all_series(), run.config.data.p)


def phase_ends_of(readings: Mapping[str, Series], p: int) -> Phases | None:
    """What :func:`phase_ends` says, of readings by key and the order of the group."""
    keys = ("hindsight/excluded/sum/train", "loss/test", "norm/squared")
    if not set(keys) <= set(readings):
        return None
    excluded, test, squared = (readings[key] for key in keys)
    return phases(excluded, test, squared, p)


def loss_slingshots(run: Run) -> Slingshots | None:
    """Excursions of the test loss above 0.5 after it first was 0.1; None if it was not read.

    They have the resolution of the schedule of ``measures.task``.
    """
    readings = run.all_series()
    return slingshots(*readings["loss/test"]) if "loss/test" in readings else None


def keys_found(run: Run) -> dict[str, list[str]]:
    """Key frequencies and irreducible representations of the last reading, by measure family.

    Numbers in their order, then names in theirs. A family that was not read is left out.
    """
    found: dict[str, list[str]] = {}
    for key, value in run.final().items():
        family, is_mark, name = key.partition("/key/")
        if is_mark:
            found.setdefault(family, []).extend([name] if value == 1 else [])
    for names in found.values():
        names.sort(key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name))
    return found


def summary(run: Run) -> dict[str, Any]:
    """The run as one object: what ``grok train --json`` prints."""
    status, found, ends = run.status(), loss_slingshots(run), phase_ends(run)
    return {
        "run": run.key,
        "dir": str(run.dir),
        "status": status["status"],
        "step": status["step"],
        "n_steps": run.config.n_steps,
        "onset": onsets(run),
        "slingshots": None if found is None else found._asdict(),
        "phases": None if ends is None else ends._asdict(),
        "growth": growth(run),
        "keys": keys_found(run),
        "final": run.final(),
        "steps_per_second": status.get("steps_per_second"),
    }
