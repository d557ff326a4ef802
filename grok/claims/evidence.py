"""What the run store holds for a claim: readings of its arms, by seed."""

import math
from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np

from grok.claims.sample import Sample
from grok.metrics.onset import onset
from grok.runs import EVENTS, Run, check_key

Series = tuple[np.ndarray, np.ndarray]


class NotRun(Exception):
    """A claim cannot be evaluated; the message says what is missing."""


def common(*series: Series) -> list[np.ndarray]:
    """Steps at which all series were read, and the values of each there."""
    steps = reduce(np.intersect1d, (steps for steps, _ in series))
    return [steps, *(values[np.isin(at, steps)] for at, values in series)]


class ArmEvidence:
    """Readings of one arm.

    Args:
        runs: The stored run of each seed.
        n_steps: Updates that the claim looks at; what a run did beyond is not looked at.
    """

    def __init__(self, runs: Mapping[int, Run], n_steps: int) -> None:
        self.runs = {str(seed): run for seed, run in runs.items()}
        self.n_steps = n_steps
        self._read: dict[str, dict[str, Series]] = {}

    def series(self, key: str, seed: str) -> Series:
        """Steps up to the claim's horizon, and values.

        Raises:
            NotRun: If the run has no such reading.
        """
        run = self.runs[seed]
        try:
            if seed not in self._read:  # whole: a claim may ask for hundreds of keys of a run
                self._read[seed] = run.all_series()
            check_key(key, self._read[seed])
        except ValueError as error:
            hint = f"if it is of an older version, `grok rm {run.key}` and run again"
            raise NotRun(f"{run.key}: {error}; {hint}") from error
        steps, values = self._read[seed][key]
        kept = steps <= self.n_steps
        return steps[kept], values[kept]

    def each(self, key: str, function: Callable[[np.ndarray, np.ndarray], float]) -> Sample:
        """A function of steps and values, for each seed.

        Raises:
            NotRun: If it was not read at the claim's last step.
        """
        self.last(key)
        return Sample({seed: float(function(*self.series(key, seed))) for seed in self.runs})

    def at(self, key: str, step: int) -> Sample:
        """The reading at one step.

        Raises:
            NotRun: If it was not read at that step.
        """

        def value(seed: str) -> float:
            steps, values = self.series(key, seed)
            found = np.flatnonzero(steps == step)
            if not found.size:
                run = self.runs[seed]
                raise NotRun(f"{run.key} has no reading of {key} at step {step:,}")
            return float(values[found[0]])

        return Sample({seed: value(seed) for seed in self.runs})

    def last(self, key: str) -> Sample:
        """The reading at the claim's last step."""
        return self.at(key, self.n_steps)

    def window(self, key: str, first: int, last: int) -> dict[str, np.ndarray]:
        """Values read from ``first`` to ``last``, both included, by seed.

        Raises:
            NotRun: If nothing was read there.
        """
        found = {}
        for seed in self.runs:
            steps, values = self.series(key, seed)
            found[seed] = values[(steps >= first) & (steps <= last)]
            if not found[seed].size:
                raise NotRun(f"{self.runs[seed].key} has no reading of {key} from step {first:,}")
        return found

    def mean_over_steps(self, key: str, first: int, last: int) -> Sample:
        """Mean over every step from ``first`` to ``last``.

        Raises:
            NotRun: If a step was not read.
        """
        found = self.window(key, first, last)
        for seed, values in found.items():
            if len(values) != last - first + 1:
                raise NotRun(f"{self.runs[seed].key} has not read {key} at every step to {last}")
        return Sample({seed: float(values.mean()) for seed, values in found.items()})

    def mean_reached(self, key: str, threshold: float, direction: str = "above") -> float:
        """First step at which the mean over seeds reaches a threshold, as in the paper's figures.

        Returns:
            Infinity if it does not within the claim's steps; NaN if a run was not read there.
        """
        steps, *values = common(*(self.series(key, seed) for seed in self.runs))
        mean = np.mean(values, axis=0)
        step = onset(steps, mean, threshold, direction)  # type: ignore[arg-type]
        is_whole = steps.size > 0 and steps[-1] == self.n_steps and np.isfinite(mean).all()
        censored = math.inf if is_whole else math.nan
        return censored if step is None else float(step)

    def onset(self, event: str) -> Sample:
        """First step at which an event of :data:`grok.runs.EVENTS` was read."""
        return self.reached(*EVENTS[event])

    def reached(self, key: str, threshold: float, direction: str = "above") -> Sample:
        """First step at which a threshold was read, infinity where it was not.

        NaN where a run diverged or was stopped before it: nothing is known of the steps that it
        has not done.
        """
        found = {}
        for seed, run in self.runs.items():
            steps, values = self.series(key, seed)
            step = onset(steps, values, threshold, direction)  # type: ignore[arg-type]
            is_whole = run.status()["step"] >= self.n_steps and np.isfinite(values).all()
            censored = math.inf if is_whole else math.nan
            found[seed] = censored if step is None else float(step)
        return Sample(found, horizon=float(self.n_steps))


class Evidence:
    """The arms of a claim, or the readings of its check.

    Args:
        arms: By name.
        checks: Readings of a check: quantity, then case.
    """

    def __init__(
        self,
        arms: Mapping[str, ArmEvidence],
        checks: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        self.arms = arms
        self.checks = checks or {}

    def __getitem__(self, name: str) -> ArmEvidence:
        return self.arms[name]

    def check(self, quantity: str, cases: str = "") -> Sample:
        """Readings of a check whose case starts with ``cases``.

        Raises:
            NotRun: If there is none.
        """
        values = self.checks.get(quantity, {})
        found = {case: value for case, value in values.items() if case.startswith(cases)}
        if not found:
            raise NotRun(f"the check has no reading of {quantity} {cases}".rstrip())
        return Sample(found)
