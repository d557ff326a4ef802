"""One task of a Slurm array: the local engine on one shard, and its requeue.

Who catches what. Slurm sends SIGUSR2 before the time limit, and where it preempts, to every
process of the task. While runs train, our own catchers have it in all of them: each worker stops
its runs at a checkpoint, and the task's main process waits for the workers. Then the locks are
released, submitit's handler is in place again, and the task raises SIGUSR2 once more for it:
submitit stores what is to be called next and asks Slurm to requeue the job. At all other times
submitit's handler has the signal alone. SIGTERM, which Slurm sends on ``scancel`` and when time
is up, leads to the same checkpoint and to no requeue of ours.
"""

import json
import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grok.config.key import from_dict
from grok.lit.signals import Interrupted
from grok.runs.files import write_atomic
from grok.runs.owner import STALE_AFTER
from grok.sweep.local import Outcome, run_local


@dataclass(frozen=True, kw_only=True)
class ShardTask:
    """What submitit stores for a task and calls there.

    submitit pickles it into a folder of the user's own and the task unpickles it from there,
    so that it holds plain values only.
    """

    configs: tuple[dict[str, Any], ...]
    """The runs as nested dicts."""
    runs_dir: str
    """Run store, an absolute path."""
    outcome: str
    """JSON file that the task writes when it has ended; an absolute path."""
    workers: int
    """Processes."""
    name: str
    """What progress calls the runs."""

    def __call__(self) -> None:
        """Train the shard.

        Raises:
            Interrupted: After SIGTERM or SIGINT. After SIGUSR2 submitit ends the process.
        """
        try:
            outcome = self._train()
        except Interrupted as error:
            if error.signal == signal.SIGUSR2:
                signal.raise_signal(signal.SIGUSR2)
            raise
        write_atomic(Path(self.outcome), json.dumps(outcome._asdict()).encode())

    def checkpoint(self) -> Any:
        """What submitit calls after the requeue: the same, since the run store has the rest."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(replace(self))

    def _train(self) -> Outcome:
        outcome = self._train_once()
        if outcome.busy and int(os.environ.get("SLURM_RESTART_COUNT", "0")) > 0:
            # This task's earlier start may have died with its node, and its locks only age.
            time.sleep(STALE_AFTER)
            outcome = self._train_once()
        return outcome

    def _train_once(self) -> Outcome:
        configs = [from_dict(values) for values in self.configs]
        return run_local(configs, Path(self.runs_dir), workers=self.workers, name=self.name)
