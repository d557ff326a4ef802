"""Bayes sweeps without a server: W&B's engine proposes, this machine trains."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grok.config import run_key
from grok.inputs import InputError
from grok.runs import DONE, Run
from grok.runs.files import write_atomic
from grok.sweep.file import Sweep, SweepRun
from grok.sweep.local import Outcome, default_workers, run_local
from grok.sweep.search import Past, Values, check_bayes, draw, proposed


class BayesSweep:
    """A search, and what it has proposed so far.

    Proposals are kept in one file of the run store, ``sweeps/<paper>-<name>-<hash>.json``, whose
    hash is of the parameters, the metric, the flags and the seed: the same command goes on with
    the same runs.

    Args:
        sweep: A sweep with method bayes.
        flags: As for :meth:`~grok.sweep.file.Sweep.runs`.
        runs_dir: Run store.
        seed: Of the search, 0 or more.

    Raises:
        InputError: If W&B's engine is not installed, or a flag cannot be used.
        ValueError: If the file of proposals is damaged.
    """

    def __init__(self, sweep: Sweep, flags: Sequence[str], runs_dir: Path, seed: int) -> None:
        check_bayes(sweep.document)
        if sweep.stacked:
            raise InputError(
                f"{sweep.path}: here a proposal is one run; take --seeds and --over out of its "
                "command, or use `grok sweep serve` and agents"
            )
        self.sweep, self.runs_dir, self.seed = sweep, runs_dir, seed
        self.parameters, self.overrides = sweep.changed(flags)
        specs = {name: [each.path, each.spec] for name, each in self.parameters.items()}
        metric = sweep.document.raw["metric"]
        what = [specs, metric, sweep.experiment, sweep.flags, self.overrides, seed]
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:10]
        name = f"{sweep.name.replace('/', '-')}-{digest}.json"
        self.path = runs_dir / "sweeps" / name
        self._values = _read(self.path)

    def runs(self) -> list[SweepRun]:
        """The runs proposed so far, in order."""
        return [self.sweep.run_of(values, self.overrides) for values in self._values]

    def propose(self, n: int) -> list[SweepRun]:
        """As many more runs, whose proposals are kept before they are returned."""
        past = [self._past(run) for run in self.runs()]
        metric = self.sweep.document.raw["metric"]
        for _ in range(n):
            values = proposed(self.parameters, metric, past, self.seed)
            past.append(Past(str(len(past)), values, "running", None))
            self._values.append(values)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.path, json.dumps({"values": self._values}, indent=1).encode())
        return self.runs()[-n:]

    def _past(self, run: SweepRun) -> Past:
        """A proposed run as the engine sees it; one that did not end well has failed."""
        key = run_key(run.config)
        stored = Run(self.runs_dir.resolve() / key)
        if stored.status()["status"] not in DONE:
            return Past(key, run.values, "failed", None)
        return Past(key, run.values, "finished", self._best(stored))

    def _best(self, run: Run) -> float | None:
        metric = self.sweep.document.metric
        assert metric is not None
        found = run.all_series().get(metric.name)
        return None if found is None else metric.best(found[1].tolist())

    def train(self, count: int, *, workers: int | None = None, retrain: bool = False) -> Outcome:
        """Train until so many runs are proposed and each has ended.

        Runs come in rounds, one for each worker: the engine knows of all rounds before, and a
        round ends with its slowest run.

        Raises:
            Interrupted: As :func:`~grok.sweep.run_local`; the same call goes on.
            ValueError: If no run of the first round has read the metric.
        """
        total = Outcome([], [], {}, [])
        some = self.sweep.run_of(draw(self.parameters, 0, 0), self.overrides)
        n_workers = workers or default_workers([some.config])
        batch = self.runs()[:count]
        at = len(batch)
        while True:
            name = f"{self.sweep.name}, {at} of {count}"
            configs = [run.config for run in batch]
            if configs:
                found = run_local(
                    configs, self.runs_dir, workers=workers, name=name, retrain=retrain
                )
                total = _added(total, found)
                self._check_metric(batch, found)
            if at >= count:
                return total
            batch = self.propose(min(n_workers, count - at))
            at += len(batch)

    def _check_metric(self, batch: Sequence[SweepRun], outcome: Outcome) -> None:
        """Stop a search that sees nothing."""
        ended = {*outcome.finished, *outcome.skipped}
        runs = [Run(self.runs_dir.resolve() / key) for key in ended]
        if runs and all(self._best(run) is None for run in runs):
            metric = self.sweep.document.raw["metric"]["name"]
            raise ValueError(
                f"{self.sweep.path}: none of {len(batch)} runs has read {metric}, so there is "
                "nothing to search by; is its measure family enabled, its schedule due?"
            )


def _added(one: Outcome, other: Outcome) -> Outcome:
    return Outcome(
        one.finished + other.finished,
        one.skipped + other.skipped,
        one.failed | other.failed,
        one.busy + other.busy,
    )


def _read(path: Path) -> list[Values]:
    """The proposals of a file; none where there is none."""
    try:
        found: Any = json.loads(path.read_bytes())["values"]
        return [dict(values) for values in found]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}; remove it to search anew") from None
