"""A worker of a sweep: a process with one thread that trains one stack of runs after another.

Imports no torch before its first run, so that the number of threads is set by then.
"""

import atexit
import ctypes
import gc
import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, NamedTuple

from grok.config import RunConfig, run_key
from grok.lit.signals import STOP_SIGNALS, Interrupted, SignalCatcher
from grok.runs import Run, RunLocked, live_owner

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_PR_SET_PDEATHSIG = 1


class Ended(NamedTuple):
    """What a worker says when it is through with a run; before that it says steps, by key."""

    key: str
    """The run."""
    how: Literal["finished", "failed", "busy", "interrupted"]
    text: str
    """What came out or what went wrong, for people; one line."""
    step: int = 0
    """Updates done of a finished run."""


def work(pipe: Connection, parent: int, runs_dir: Path, retrain: bool) -> None:
    """Train the stacks that come through a pipe until None comes, or the parent is gone.

    A signal stops the runs in hand at a checkpoint, and ends the worker.

    Args:
        pipe: Lists of configs come; steps of runs by key, and an :class:`Ended` for each, go.
        parent: Process id of who started this one.
        runs_dir: Run store.
        retrain: Forget what is stored of a run and start anew.
    """
    os.environ.update(_ONE_THREAD)
    atexit.register(gc.freeze)  # or the last collection of all that torch has made takes seconds
    _end_with_parent()
    catcher = SignalCatcher()
    catcher.install()  # and never left: a signal on the way out of the process disturbs nothing
    with suppress(EOFError, OSError):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        while (configs := _next(pipe, parent, catcher)) is not None:
            if not _train(configs, pipe, catcher, runs_dir, retrain):
                return


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM when the parent dies, however it dies; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _next(pipe: Connection, parent: int, catcher: SignalCatcher) -> list[RunConfig] | None:
    """The next stack; None at the end, after a signal, or when the parent is gone."""
    while not catcher.is_caught() and os.getppid() == parent:
        if pipe.poll(0.2):
            return pipe.recv()
    return None


def _train(
    configs: list[RunConfig],
    pipe: Connection,
    catcher: SignalCatcher,
    runs_dir: Path,
    retrain: bool,
) -> bool:
    """Train one stack, whatever comes of it; False if a signal ended it."""
    from grok.lit.progress import StepReport
    from grok.lit.train import train_stack

    left = {run_key(config): config for config in configs}

    def tell(steps: dict[str, int]) -> None:
        # While a run trains, signals go to its own catcher: hand over what came before.
        if catcher.caught is not None:
            signal.raise_signal(catcher.caught)
            return
        try:
            pipe.send(steps)
        except OSError:  # nobody listens any more
            signal.raise_signal(signal.SIGTERM)

    def end(run: Run) -> None:
        del left[run.key]
        pipe.send(Ended(run.key, "finished", *_result(run)))

    def end_all(how: Literal["failed", "busy", "interrupted"], error: BaseException) -> None:
        for key in left:
            pipe.send(Ended(key, how, _one_line(error)))

    for key in [key for key in left if len(left) > 1 and live_owner(runs_dir / key)]:
        del left[key]  # one that another process has in hand stops no other
        pipe.send(Ended(key, "busy", f"run {key} is being trained by another process"))
    try:
        train_stack(
            list(left.values()),
            runs_dir,
            retrain=retrain,
            progress=False,
            callbacks=[StepReport(tell)],
            on_end=end,
        )
    except RunLocked as error:
        end_all("busy", error)
    except Interrupted as error:
        end_all("interrupted", error)
        return False
    except Exception as error:  # the next stack may well succeed
        end_all("failed", error)
    return True


def _result(run: Run) -> tuple[str, int]:
    """What a finished run came to, in words, and its step."""
    status, test_acc = run.status(), run.final().get("acc/test")
    onset = status.get("onset", {}).get("test_acc_99")
    words = [f"{status['status']} at step {status['step']:,}"]
    words.append("test accuracy 0.99 " + ("not reached" if onset is None else f"at {onset:,}"))
    if test_acc is not None:
        words.append(f"test accuracy {test_acc:.3f}")
    return " | ".join(words), status["step"]


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
