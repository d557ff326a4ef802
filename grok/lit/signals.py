"""Stopping a run from outside: remember the signal, finish the update, checkpoint, exit."""

import signal
import threading
from types import FrameType, TracebackType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)


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

    A second signal is obeyed at once. Outside the main thread, where Python allows no
    handlers, nothing is caught.
    """

    def __init__(self) -> None:
        self.caught: int | None = None
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
        if self.caught is not None:
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)
        self.caught = signum

    def is_caught(self) -> bool:
        """Whether a signal has come."""
        return self.caught is not None
