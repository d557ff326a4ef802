"""Hands the runs of a sweep to Slurm as one array job, through submitit.

Each task of the array trains a shard with the local engine; see :mod:`grok.sweep.slurm.task`.
"""

import io
import secrets
import shutil
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stderr
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from grok.config import RunConfig, run_key
from grok.config.key import to_dict
from grok.inputs import InputError
from grok.runs import RunLock, RunLocked, RunStore
from grok.sweep.shards import Shard, shards_of
from grok.sweep.slurm.options import SlurmOptions
from grok.sweep.slurm.task import ShardTask

MOST_TASKS = 16
"""Tasks of an array unless asked for more."""
TIMEOUTS = 100
"""Time limits after which submitit requeues a job no more."""
_WARNED = 120
"""Seconds before the time limit at which the runs are told to checkpoint."""


class Plan(NamedTuple):
    """An array job before it is submitted."""

    shards: list[Shard]
    options: SlurmOptions
    cpus: int
    """Cores of a task."""
    workers: int
    """Processes of a task."""


class Submitted(NamedTuple):
    """An array job that Slurm has."""

    job: str
    """Its number."""
    folder: Path
    """Script, logs and what submitit keeps."""


def plan_of(
    configs: Sequence[RunConfig],
    runs_dir: Path,
    options: SlurmOptions,
    *,
    tasks: int | None = None,
    retrain: bool = False,
) -> Plan:
    """The shards of the runs that are not done; no shard if all are.

    Args:
        configs: The runs.
        runs_dir: Run store.
        options: What each task asks for.
        tasks: Tasks at most; default 16.
        retrain: Take the runs that are done, too.
    """
    threads = max((config.threads for config in configs), default=1)
    cpus = options.cpus or threads
    workers = 1 if options.on_cuda else max(cpus // threads, 1)
    shards = shards_of(
        configs,
        runs_dir,
        tasks or MOST_TASKS,
        workers=workers,
        on_cuda=options.on_cuda,
        retrain=retrain,
    )
    return Plan(shards, options, cpus, workers)


def script(plan: Plan, folder: Path, name: str) -> str:
    """The script that sbatch would get; needs submitit and no Slurm.

    Raises:
        InputError: If submitit is absent.
    """
    executor = _executor(plan, folder, name)
    if len(plan.shards) > 1:
        executor.parameters["map_count"] = len(plan.shards)
    return executor._make_submission_file_text(executor._submitit_command_str, "")


def new_folder(runs_dir: Path, name: str) -> Path:
    """Where script and logs of a new job will be: ``<runs_dir>/slurm/<sweep>-<date>-<time>-..``."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    last = f"{name.rpartition('/')[2]}-{stamp}-{secrets.token_hex(2)}"
    return runs_dir.resolve() / "slurm" / last


def check_slurm() -> None:
    """Refuse a machine from which nothing can be submitted.

    Raises:
        InputError: If submitit or Slurm's programs are absent.
    """
    _submitit()
    for program in ("sbatch", "srun"):
        if shutil.which(program) is None:
            raise InputError(
                f"{program} is not on this machine: submit from a login node of the cluster"
            )


def forget_all(configs: Sequence[RunConfig], runs_dir: Path) -> None:
    """Forget what is stored of runs, before the job: a requeued task must not do it again.

    Raises:
        InputError: If one of them is being trained; nothing is forgotten then.
    """
    from grok.lit.job import forget

    store = RunStore(runs_dir)
    stored = {run.key: run for run in store.runs()}
    runs = [stored[key] for key in dict.fromkeys(map(run_key, configs)) if key in stored]
    with ExitStack() as locks:
        try:
            for run in runs:
                locks.enter_context(RunLock(run.dir))
        except RunLocked as error:
            raise InputError(f"{error}; nothing is forgotten or submitted") from None
        for run in runs:
            forget(run)


def submit(plan: Plan, runs_dir: Path, folder: Path, name: str) -> Submitted:
    """Submit the array job and return at once.

    Raises:
        InputError: If sbatch refuses, with what it says.
    """
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    executor = _executor(plan, folder, name)
    tasks = [
        ShardTask(
            configs=tuple(to_dict(config) for config in shard.configs),
            runs_dir=str(runs_dir.resolve()),
            outcome=str(outcome_path(folder, at)),
            workers=plan.workers,
            name=name,
        )
        for at, shard in enumerate(plan.shards)
    ]
    folder.mkdir(parents=True)
    try:
        with redirect_stderr(io.StringIO()):  # submitit says it twice
            jobs = executor.submit_array(tasks)
    except (FailedJobError, FailedSubmissionError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        said = " ".join(str(error).replace("sbatch: error: ", "").split())
        raise InputError(f"sbatch refuses: {said}") from None
    return Submitted(jobs[0].job_id.partition("_")[0], folder)


def outcome_path(folder: Path, at: int) -> Path:
    """Where a task, counted from 0, says what became of its shard."""
    return folder / f"shard_{at}.json"


def _executor(plan: Plan, folder: Path, name: str) -> Any:
    """submitit's, with the parameters of a plan."""
    base = _submitit().SlurmExecutor

    class Executor(base):
        """One that can be made where there is no Slurm, to show its script."""

        @classmethod
        def affinity(cls) -> int:
            return 2

    options = plan.options
    executor = Executor(folder, max_num_timeout=TIMEOUTS)
    named = {key: getattr(options, key) for key in ("partition", "mem", "account", "gres")}
    executor.update_parameters(
        job_name=f"grok-{name.rpartition('/')[2]}",
        time=options.time,
        cpus_per_task=plan.cpus,
        signal_delay_s=min(_WARNED, options.time * 30),
        srun_args=[f"--cpus-per-task={plan.cpus}"],  # not inherited since Slurm 22.05
        additional_parameters={"requeue": True, **dict(options.extra)},
        **{key: value for key, value in named.items() if value is not None},
    )
    return executor


def _submitit() -> Any:
    try:
        import submitit
    except ImportError:
        raise InputError("submitit is not installed: pip install 'grokking-lab[slurm]'") from None
    return submitit
