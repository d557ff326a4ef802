"""Waiting for an array job, and what became of its runs."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from grok.config import run_key
from grok.sweep.local import Outcome
from grok.sweep.shards import Shard
from grok.sweep.slurm.submit import Plan, Submitted, outcome_path
from grok.sweep.state import run_state


def is_over(job: str) -> bool:
    """Whether no task of a job waits or runs any more; False where Slurm does not answer."""
    command = ["squeue", "--noheader", "--format=%T", f"--jobs={job}"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode != 0:  # an ended job is forgotten after some minutes
        return "Invalid job id" in asked.stderr
    return not asked.stdout.strip()


def wait_for(job: str, show: Callable[[], None], seconds: float = 5.0) -> None:
    """Until no task of the job waits or runs any more, a requeued one included.

    Args:
        job: Its number.
        show: Called at every look.
        seconds: Between two looks, so that Slurm's controller is not asked all the time.
    """
    while not is_over(job):
        show()
        time.sleep(seconds)


def outcome_of(plan: Plan, runs_dir: Path, submitted: Submitted) -> Outcome:
    """What became of the runs of a job that is over.

    A run whose task left no word (it was cancelled, or its node died) has failed if it is not
    done by now.
    """
    whole = Outcome([], [], {}, [])
    for at, shard in enumerate(plan.shards):
        try:
            found = Outcome(**json.loads(outcome_path(submitted.folder, at).read_bytes()))
        except FileNotFoundError:
            found = _without_word(shard, at, runs_dir, submitted)
        for mine, theirs in zip(
            (whole.finished, whole.skipped, whole.busy),
            (found.finished, found.skipped, found.busy),
            strict=True,
        ):
            mine.extend(theirs)
        whole.failed.update(found.failed)
    return whole


def _without_word(shard: Shard, at: int, runs_dir: Path, submitted: Submitted) -> Outcome:
    found = Outcome([], [], {}, [])
    for config in shard.configs:
        key = run_key(config)
        if run_state(config, runs_dir).state == "done":
            found.finished.append(key)
        else:
            found.failed[key] = f"task {at} of job {submitted.job} ended early: {submitted.folder}"
    return found
