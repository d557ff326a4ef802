"""One process per run: a lock file with a heartbeat, and takeover of a dead owner's run.

``lock`` is created exclusively and holds who has the run. Its modification time is the
heartbeat. A lock is stale when its owner is known to be dead (same machine, no such process)
or when the heartbeat stopped. Creating, taking over and releasing happen one at a time under
a kernel lock on ``.lock.mutex``, which the kernel frees when its holder dies.
"""

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from grok.runs.files import temporary_name
from grok.runs.owner import LOCK, STALE_AFTER, Owner, live_owner, read_owner, this_process

BEAT = 15.0
"""Seconds between heartbeats."""


class RunLocked(RuntimeError):
    """Another process, or another part of this one, is working on the run."""


class LockLost(RuntimeError):
    """The run was taken over, because this process did not show a heartbeat for too long."""


class RunLock:
    """Exclusive right to write into a run's directory; a context manager.

    Args:
        run_dir: The run's directory.
        beat: Seconds between heartbeats.
        stale_after: Seconds without one after which another may take over; several beats,
            and more than the clocks of machines that share the disk may differ.
    """

    def __init__(self, run_dir: Path, beat: float = BEAT, stale_after: float = STALE_AFTER) -> None:
        self.run_dir = run_dir
        self.beat = beat
        self.stale_after = stale_after
        self._owner: Owner | None = None
        self._descriptor = -1
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "RunLock":
        """Take the run.

        Raises:
            RunLocked: If somebody alive holds it.
            FileNotFoundError: If the directory does not exist.
        """
        with _mutex(self.run_dir):
            self._remove_stale()
            self._create()
        self._stop.clear()
        self._thread = threading.Thread(target=self._keep_beating, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the run back; leaves a lock alone that is no longer ours."""
        if self._owner is None or self._owner.pid != os.getpid():
            return  # a forked child has a copy of this object, not the run
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        try:
            # The directory may be gone: `RunStore.remove` renames it while it is locked.
            with suppress(FileNotFoundError), _mutex(self.run_dir):
                if self._is_ours():
                    (self.run_dir / LOCK).unlink()
        finally:
            os.close(self._descriptor)
            self._owner = None

    def verify(self) -> None:
        """Check that the run is still ours. Call it before writing what cannot be merged.

        Raises:
            LockLost: If the lock on disk is not the one taken here: this process was
                suspended for longer than ``stale_after`` and another took over.
        """
        if not self._is_ours():
            raise LockLost(f"run {self.run_dir.name} is no longer locked by this process")

    def _is_ours(self) -> bool:
        found = read_owner(self.run_dir / LOCK)
        return found is not None and self._owner is not None and found.token == self._owner.token

    def _remove_stale(self) -> None:
        """Move a stale lock out of the way; raise on a live one."""
        path = self.run_dir / LOCK
        judged = read_owner(path)
        if owner := live_owner(self.run_dir, self.stale_after):
            raise RunLocked(_describe(self.run_dir, owner))
        aside = path.with_name(temporary_name(LOCK))
        try:
            path.rename(aside)
        except FileNotFoundError:
            return
        # Where the mutex does not work, another may have taken over since the look above.
        if read_owner(aside) != judged:
            with suppress(OSError):
                path.hardlink_to(aside)  # unlike a rename, never over a third one's lock
            aside.unlink(missing_ok=True)
            raise RunLocked(f"run {self.run_dir.name} has just been taken by another process")
        aside.unlink(missing_ok=True)

    def _create(self) -> None:
        """Create the lock file, which fails if there is one."""
        path = self.run_dir / LOCK
        try:
            self._descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        except FileExistsError:
            raise RunLocked(f"run {self.run_dir.name} has just been taken by another") from None
        self._owner = this_process()
        try:
            os.write(self._descriptor, json.dumps(asdict(self._owner)).encode())
        except OSError:
            path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._owner = None
            raise

    def _keep_beating(self) -> None:
        # The open file, not the path: the path may by now name another's lock.
        while not self._stop.wait(self.beat):
            with suppress(OSError):
                os.utime(self._descriptor)


def _describe(run_dir: Path, owner: Owner) -> str:
    return (
        f"run {run_dir.name} is being worked on by process {owner.pid} "
        f"on {owner.host} since {owner.since}"
    )


@contextmanager
def _mutex(run_dir: Path) -> Iterator[None]:
    """Serialise changes of a run's lock; does nothing where the file system cannot."""
    descriptor = os.open(run_dir / ".lock.mutex", os.O_CREAT | os.O_RDWR, 0o666)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        # Closing is not enough if another thread forked meanwhile: the child holds a copy.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)
