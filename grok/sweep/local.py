"""Trains the runs of a sweep on this machine: one-thread processes, one stack at a time each."""

import math
import os
import signal
import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, NamedTuple

from grok.config import RunConfig, run_key
from grok.config.stacking import shared, stack_size
from grok.lit.signals import STOP_SIGNALS, Interrupted, SignalCatcher
from grok.lit.status_line import StatusLine
from grok.sweep.progress import SweepProgress
from grok.sweep.state import run_state
from grok.sweep.worker import Ended, work

_CONTEXT = get_context("spawn")
_CUDA_WORKERS = 1
"""Processes that share a CUDA device: it serves them in turn, so that ten do no more updates than
one, each of a tenth (measured on an H200)."""

_CUDA_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvmap")
"""Of which there is one where Linux has a CUDA device, WSL's and Jetson's among them."""


class Outcome(NamedTuple):
    """What became of the runs of a sweep, by key."""

    finished: list[str]
    """Trained now, to the end or until they diverged."""
    skipped: list[str]
    """Done before."""
    failed: dict[str, str]
    """With the reason."""
    busy: list[str]
    """Locked by another process, and not finished by it meanwhile."""


def run_local(
    configs: Sequence[RunConfig],
    runs_dir: Path,
    *,
    workers: int | None = None,
    name: str = "",
    progress: bool = True,
    retrain: bool = False,
) -> Outcome:
    """Train runs in processes of their own, each with one thread.

    What is finished is skipped, what was interrupted goes on. A run that fails, and one whose
    process dies, are reported at the end and stop no other. A script that calls this needs the
    usual ``if __name__ == "__main__":``, since its processes import it.

    Args:
        configs: The runs; of two with the same key the first is taken.
        runs_dir: Run store.
        workers: How many processes; default as many as the cores that this one may use have
            room for, at ``threads`` of the runs each; one on a CUDA device.
        name: What progress calls them.
        progress: Show it on standard error.
        retrain: Forget what is stored of each run and start anew.

    Raises:
        Interrupted: After SIGINT, SIGTERM or SIGUSR2; the workers have checkpointed, and the
            same call goes on.
    """
    jobs: dict[str, RunConfig] = {}
    for config in configs:
        jobs.setdefault(run_key(config), config)
    states = {} if retrain else {key: run_state(c, runs_dir) for key, c in jobs.items()}
    skipped = [key for key, state in states.items() if state.state == "done"]
    todo = {key: config for key, config in jobs.items() if key not in set(skipped)}
    if not todo:
        return Outcome([], skipped, {}, [])
    left = {k: states[k].left if k in states else c.n_steps for k, c in todo.items()}
    shown = SweepProgress(name or "sweep", left, StatusLine() if progress else None)
    n_workers = workers or default_workers(todo.values())
    stacks = stacks_of(todo, {k: c.n_steps - left[k] for k, c in todo.items()}, n_workers)
    n_workers = min(n_workers, len(stacks))
    shown.start(len(skipped), n_workers)
    with SignalCatcher() as catcher:
        pool = _Pool(stacks, runs_dir, retrain, n_workers, shown, catcher)
        pool.run()
    if catcher.caught is not None and pool.n_ended < len(todo):
        raise Interrupted(catcher.caught)
    busy = [key for key in pool.busy if run_state(todo[key], runs_dir).state != "done"]
    skipped += [key for key in pool.busy if key not in busy]
    return Outcome(pool.finished, skipped, pool.failed, busy)


def default_workers(configs: Iterable[RunConfig]) -> int:
    """As many processes as the cores that this one may use have room for."""
    configs = list(configs)
    threads = max(config.threads for config in configs)
    is_known = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if is_known else os.cpu_count() or 1
    return min(max(cores // threads, 1), _CUDA_WORKERS if _on_cuda(configs) else cores)


def _on_cuda(configs: Iterable[RunConfig]) -> bool:
    """Whether one of the runs would be trained on a CUDA device."""
    if sys.platform == "linux" and not any(Path(name).exists() for name in _CUDA_FILES):
        return False  # known without torch, which a dry run needs not
    from grok.lit.device import pick_device

    return any(pick_device(config.device).type == "cuda" for config in configs)


def stacks_of(
    todo: Mapping[str, RunConfig],
    steps: Mapping[str, int],
    workers: int,
    *,
    machines: int = 1,
    on_cuda: bool | None = None,
) -> list[list[RunConfig]]:
    """Runs that are trained together, in the order of their first ones.

    Args:
        todo: The runs by key.
        steps: Step from which each goes on.
        workers: Processes at work on one machine.
        machines: How many share the runs.
        on_cuda: Whether they train on a CUDA device; default as this machine would.
    """
    alike: dict[tuple[RunConfig, int], list[RunConfig]] = {}
    for key, config in todo.items():
        alike.setdefault((shared(config), steps[key]), []).append(config)
    stacks = []
    for (config, _), runs in alike.items():
        is_on_cuda = _on_cuda(runs) if on_cuda is None else on_cuda
        n_runs = math.ceil(len(runs) / machines)
        size = stack_size(config, n_runs, workers, on_cuda=is_on_cuda)
        stacks += [runs[at : at + size] for at in range(0, len(runs), size)]
    place = {key: at for at, key in enumerate(todo)}
    return sorted(stacks, key=lambda runs: place[run_key(runs[0])])


class _Worker:
    """A process, the pipe to it and the runs it has in hand."""

    def __init__(self, runs_dir: Path, retrain: bool) -> None:
        self.pipe, theirs = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(
            target=work, args=(theirs, os.getpid(), runs_dir, retrain), daemon=True
        )
        self.keys: set[str] = set()
        # The worker is born deaf to signals and listens once it can obey them. The tracker
        # comes first, because it unblocks them when it starts.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def take(self, configs: list[RunConfig] | None) -> None:
        """Hand it a stack, or None to end it."""
        self.keys = {run_key(config) for config in configs or ()}
        with suppress(OSError):  # it has died, which is noticed where its words are awaited
            self.pipe.send(configs)

    @property
    def death(self) -> str:
        """How the process ended, in words."""
        self.process.join()
        code = self.process.exitcode or 0
        if code < 0:
            return f"its worker was killed by {signal.Signals(-code).name}"
        return f"its worker ended with exit code {code}"


class _Pool:
    """Workers, and the runs that wait for one."""

    def __init__(
        self,
        stacks: list[list[RunConfig]],
        runs_dir: Path,
        retrain: bool,
        n_workers: int,
        progress: SweepProgress,
        catcher: SignalCatcher,
    ) -> None:
        self.waiting = deque(stacks)
        self.runs_dir, self.retrain, self.n_workers = runs_dir, retrain, n_workers
        self.progress, self.catcher = progress, catcher
        self.workers: list[_Worker] = []
        self.leaving: list[_Worker] = []
        self.finished: list[str] = []
        self.failed: dict[str, str] = {}
        self.busy: list[str] = []
        self.is_told = False

    @property
    def n_ended(self) -> int:
        """Runs that need no more attention."""
        return len(self.finished) + len(self.failed) + len(self.busy)

    def run(self) -> None:
        """Until every run has ended, or the workers have obeyed a signal."""
        try:
            while True:
                if self.catcher.caught is None:
                    self._hand_out()
                else:
                    self._stop(self.catcher.caught)
                if not self.workers:
                    break
                self._listen()
                self.progress.show(sum(len(worker.keys) for worker in self.workers))
        finally:
            try:
                self.progress.close()
            finally:
                self._end_all()

    def _hand_out(self) -> None:
        """Give a run to each worker that has none, and to new ones while there may be more."""
        for worker in [w for w in self.workers if not w.keys]:
            if self.waiting:
                worker.take(self.waiting.popleft())
            else:
                self._dismiss(worker)
        while self.waiting and len(self.workers) < self.n_workers:
            worker = _Worker(self.runs_dir, self.retrain)
            self.workers.append(worker)
            worker.take(self.waiting.popleft())

    def _dismiss(self, worker: _Worker) -> None:
        worker.take(None)
        self.workers.remove(worker)
        self.leaving.append(worker)

    def _listen(self) -> None:
        """Hear what the workers say, or that one has died."""
        by_handle: dict[Any, _Worker] = {w.process.sentinel: w for w in self.workers}
        by_handle |= {w.pipe: w for w in self.workers}
        for worker in {by_handle[handle] for handle in wait(list(by_handle), timeout=0.2)}:
            try:
                # A dead worker's last words are still in the pipe.
                message = worker.pipe.recv() if worker.pipe.poll() else None
            except (EOFError, OSError):
                message = None
            if isinstance(message, dict):
                for key, step in message.items():
                    self.progress.step(key, step)
            elif message is not None:
                self._end_run(worker, message)
            else:
                self._lose(worker)

    def _end_run(self, worker: _Worker, ended: Ended) -> None:
        """Book how one of the runs in hand ended."""
        key = ended.key
        worker.keys.discard(key)
        if ended.how == "interrupted":
            if not worker.keys:
                self._let_go(worker)
            if self.catcher.caught is None:
                self._fail(key, ended.text)
        elif ended.how == "failed":
            self._fail(key, ended.text)
        elif ended.how == "busy":
            self.busy.append(key)
            self.progress.end(key, ended.text, how="busy")
        else:
            self.finished.append(key)
            self.progress.end(key, ended.text, how="done", step=ended.step)

    def _lose(self, worker: _Worker) -> None:
        """Book that a worker died over the runs in hand."""
        self._let_go(worker)
        for key in sorted(worker.keys):
            if self.catcher.caught is None:
                self._fail(key, worker.death)

    def _let_go(self, worker: _Worker) -> None:
        self.workers.remove(worker)
        self.leaving.append(worker)

    def _fail(self, key: str, reason: str) -> None:
        self.failed[key] = reason
        self.progress.end(key, f"failed: {reason}", how="failed")

    def _stop(self, signum: int) -> None:
        """Hand the signal on, once, and let go of the workers that have obeyed it."""
        for worker in [w for w in self.workers if not w.keys]:
            self._dismiss(worker)
        if not self.is_told:
            self.is_told = True
            for worker in self.workers:
                if worker.process.pid is not None and worker.process.is_alive():
                    os.kill(worker.process.pid, signum)

    def _end_all(self) -> None:
        """Wait for those that leave; end by force what is left after an error of our own."""
        for worker in self.workers:
            worker.process.terminate()
        for worker in [*self.leaving, *self.workers]:
            worker.process.join(timeout=10)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()
