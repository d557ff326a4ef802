"""How the runs of a sweep stand in the run store. Imports torch only where a run is done."""

from pathlib import Path
from typing import Literal, NamedTuple

from grok.config import RunConfig, run_key
from grok.runs import DONE, Run


class State(NamedTuple):
    """How one run stands."""

    state: Literal["done", "lacking", "resumable", "new"]
    """``done``: training it would do nothing; ``lacking``: it is replayed for readings."""
    step: int
    """Step it stands at."""
    left: int
    """Updates that training it would make."""


def run_state(config: RunConfig, runs_dir: Path) -> State:
    """How the run of a config stands. A damaged one counts as not done: training says why."""
    run = Run(runs_dir.resolve() / run_key(config))
    try:
        status = run.status()
        step, left = status["step"], max(config.n_steps - status["step"], 0)
        if status["status"] == "new":
            return State("new", 0, left)
        if status["status"] not in DONE:
            return State("resumable", step, left)
        if _is_finished(run, config):
            return State("done", step, 0)
    except ValueError:
        return State("resumable", 0, config.n_steps)
    if left == 0 or status["status"] == "diverged":
        return State("lacking", step, min(step, config.n_steps))
    return State("resumable", step, left)


def _is_finished(run: Run, config: RunConfig) -> bool:
    from grok.lit.job import is_finished

    return is_finished(run, config)
