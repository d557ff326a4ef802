"""The runs of one ``grok train``, trained in this process."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from grok.config import RunConfig, TrackingConfig, flatten, run_key, to_dict
from grok.lit.job import tracked_summary
from grok.lit.loggers import curves
from grok.lit.media import track_spectra
from grok.lit.signals import Interrupted, SignalCatcher
from grok.lit.train import train_stack
from grok.runs import Run, RunLocked, RunStore
from grok.sweep.local import stacks_of
from grok.tracking import SharedTracker, Tracker, agent_tracker, is_under_agent, make_tracker

_Rows = dict[int, dict[str, float]]
_TrackerOf = Callable[[Run, TrackingConfig], Tracker]
_log = logging.getLogger("grok")


PAUSE = 2.0
"""Seconds between two looks at a run that another agent's process trains."""


class _Several(NamedTuple):
    """Several runs to a tracker."""

    dir: Path
    key: str
    config: RunConfig


def train_together(
    configs: Sequence[RunConfig], runs_dir: Path, *, retrain: bool = False, progress: bool = True
) -> list[Run]:
    """Train runs in this process, in stacks where these are faster, else one after another.

    Under a W&B agent all of them are one W&B run, the agent's: it shows the mean over the runs,
    what they have stored before included, and a table of them; as its config, a list where they
    differ. Spectra and images it has of a lone run only. Otherwise each has its own.

    Args:
        configs: The runs; of two with the same key the first is taken.
        runs_dir: Run store.
        retrain: Forget what is stored of each run and start anew.
        progress: Show progress on standard error.

    Returns:
        The runs, as they were given.

    Raises:
        RunLocked: If another process trains one of them; those before it are trained. Under an
            agent that one is waited for.
        Interrupted: After a signal; the runs are stored and can be resumed.
        ConfigMismatch: If the agent's W&B run would show another config than is trained.
    """
    distinct: dict[str, RunConfig] = {}
    for config in configs:
        distinct.setdefault(run_key(config), config)
    stacks = stacks_of(distinct, dict.fromkeys(distinct, 0), workers=1)

    def train(tracker_of: _TrackerOf) -> None:
        options = {"retrain": retrain, "progress": progress, "tracker_of": tracker_of}
        with SignalCatcher() as catcher:
            for stack in stacks:
                _train(stack, runs_dir, catcher, options)

    if is_under_agent():
        _as_one(list(distinct.values()), runs_dir, retrain, train)
    else:
        train(make_tracker)
    store = RunStore(runs_dir)
    runs = {key: store.create(config) for key, config in distinct.items()}
    return [runs[run_key(config)] for config in configs]


def _train(
    stack: list[RunConfig], runs_dir: Path, catcher: SignalCatcher, options: dict[str, Any]
) -> None:
    """Train one stack; under an agent when no other agent's process has one of its runs."""
    is_told = False
    while True:
        if catcher.caught is not None:
            raise Interrupted(catcher.caught)
        try:
            train_stack(stack, runs_dir, **options)
            return
        except RunLocked as error:
            if not is_under_agent():
                raise
            if not is_told:
                _log.warning("%s; waiting for it", error)
            is_told = True
            time.sleep(PAUSE)


def _as_one(
    configs: list[RunConfig],
    runs_dir: Path,
    retrain: bool,
    train: Callable[[_TrackerOf], None],
) -> None:
    """Train the runs as one W&B run."""
    store = RunStore(runs_dir)
    runs = [store.create(config) for config in configs]
    what: Run | _Several = runs[0]
    if len(runs) > 1:
        what = _Several(store.root / "agents", f"{len(runs)}-{runs[0].key}", configs[0])
        what.dir.mkdir(parents=True, exist_ok=True)
    tracker, after = agent_tracker(what, configs[0].tracking, _shown(configs))
    shared = SharedTracker(tracker, [{} if retrain else _rows(run) for run in runs], after)
    place = {run.key: at for at, run in enumerate(runs)}
    exit_code = 1
    try:
        train(lambda run, _: shared.part(place[run.key]))
        exit_code = 0
    except Interrupted as error:
        exit_code = 128 + error.signal
        raise
    finally:
        for run in runs:
            shared.fill(place[run.key], _rows(run))  # of what another process has trained meanwhile
        shared.end_all()
        if len(runs) > 1:
            tracker.table("runs", [_row(run) for run in runs])
        else:
            track_spectra(tracker, runs[0])
        tracker.summary(_summary([tracked_summary(run) for run in runs]))
        tracker.finish(exit_code)


def _shown(configs: Sequence[RunConfig]) -> dict[str, Any]:
    """The config of all runs: where they differ, the list of their values."""
    flat = [flatten(to_dict(config)) for config in configs]
    values = {name: [each[name] for each in flat] for name in flat[0]}
    return {name: v[0] if all(x == v[0] for x in v) else v for name, v in values.items()}


def _rows(run: Run) -> _Rows:
    """What is stored of a run, by step."""
    rows: _Rows = {}
    for key, (steps, values) in run.all_series().items():
        for step, value in zip(steps.tolist(), values.tolist(), strict=True):
            rows.setdefault(step, {})[key] = value
    return {step: curves(row) for step, row in rows.items()}


def _row(run: Run) -> dict[str, Any]:
    """One line of the table of runs."""
    said, final = run.status(), run.final()
    onset = said.get("onset", {}).get("test_acc_99")
    keys = ("loss/train", "loss/test", "acc/train", "acc/test")
    row = {"run": run.key, "status": said["status"], "step": said["step"]}
    return row | {key: final.get(key) for key in keys} | {"onset/test_acc_99": onset}


def _summary(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the runs come to: means of the numbers that all of them have, and every text."""
    if len(each) == 1:
        return dict(each[0])
    found = {name: _common(summary.get(name) for summary in each) for name in each[0]}
    return {name: value for name, value in found.items() if value is not None}


def _common(values: Iterable[Any]) -> Any:
    values = list(values)
    if all(isinstance(value, int | float) for value in values):
        return sum(values) / len(values)
    texts = [value for value in values if isinstance(value, str)]
    return ", ".join(dict.fromkeys(texts)) or None
