"""Stopping a run from outside: remember the signal, finish the update, checkpoint, exit."""

import signal
import threading
import time
from types import FrameType, TracebackType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)

ECHO = 1.0
"""Seconds after a signal in which another is the same order: a scheduler or a terminal tells
every process of a sweep, and the sweep tells its workers."""


class Interrupted(KeyboardInterrupt):
    """A run was stopped by a signal and can be resumed.

    Attributes:
        signal: The signal's number.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}")
        self.signal = signum


class SignalCatcher:
    """Context in which SIGINT, SIGTERM and SIGUSR2 are remembered instead of obeyed.

    A second signal, :data:`ECHO` or more after the first, is obeyed at once. Outside the main
    thread, where Python allows no handlers, nothing is caught.
    """

    def __init__(self) -> None:
        self.caught: int | None = None
        self._caught_at = 0.0
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "SignalCatcher":
        self.install()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for which, handler in self._before.items():
            signal.signal(which, handler)  # type: ignore[arg-type]
        self._before.clear()

    def install(self) -> None:
        """Take the handlers over; again after Lightning has installed its own."""
        if threading.current_thread() is not threading.main_thread():
            return
        for which in STOP_SIGNALS:
            before = signal.signal(which, self._catch)
            self._before.setdefault(which, before)

    def _catch(self, signum: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if self.caught is None:
            self.caught, self._caught_at = signum, now
        elif now - self._caught_at >= ECHO:
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)

    def is_caught(self) -> bool:
        """Whether a signal has come."""
        return self.caught is not None
