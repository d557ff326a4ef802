"""Who holds a run, and whether that process still lives."""

import json
import os
import secrets
import socket
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

LOCK = "lock"
"""Name of the lock file in a run's directory."""
STALE_AFTER = 120.0
"""Seconds without a heartbeat after which an owner counts as dead."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Who holds a run, as written in the lock file."""

    host: str
    """Name of the machine."""
    boot: str
    """Boot and process namespace: process ids compare only where these agree. May be empty."""
    pid: int
    """Process id."""
    start: str
    """Start time of the process in the kernel's ticks, which tells a reused id; may be empty."""
    since: str
    """When the run was locked, local time with its offset from UTC."""
    token: str
    """Random name of this one locking."""

    @property
    def is_this_process(self) -> bool:
        """Whether it is the process that asks."""
        here = this_process()
        return (self.host, self.boot, self.pid, self.start) == (
            here.host,
            here.boot,
            here.pid,
            here.start,
        )

    @property
    def is_dead(self) -> bool:
        """Whether the process is gone for certain; False for one that cannot be looked up."""
        if (self.host, self.boot) != (socket.gethostname(), _boot()):
            return False
        return not _runs(self.pid, self.start)


def live_owner(run_dir: Path, stale_after: float = STALE_AFTER) -> Owner | None:
    """Who is working on the run; None when nobody is.

    An unreadable lock counts as held, by an owner with the host ``unknown``, until it is
    ``stale_after`` seconds old: its writer may be between creating and writing it.
    """
    try:
        age = time.time() - (run_dir / LOCK).stat().st_mtime
    except OSError:
        return None
    if age > stale_after:
        return None
    owner = read_owner(run_dir / LOCK)
    if owner is None:
        # Gone since the look at its age, or not written yet.
        return _UNKNOWN if (run_dir / LOCK).exists() else None
    return None if owner.is_dead else owner


_UNKNOWN = Owner(host="unknown", boot="", pid=0, start="", since="just now", token="")


def this_process() -> Owner:
    """This process as an owner, with a new token."""
    return Owner(
        host=socket.gethostname(),
        boot=_boot(),
        pid=os.getpid(),
        start=_start_and_state(os.getpid())[0],
        since=datetime.now().astimezone().isoformat(timespec="seconds"),
        token=secrets.token_hex(16),
    )


def read_owner(path: Path) -> Owner | None:
    """What a lock file says; None if it is absent or is not a whole lock file."""
    try:
        values: Any = json.loads(path.read_bytes())
        return Owner(**{name: kind(values[name]) for name, kind in Owner.__annotations__.items()})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _boot() -> str:
    """This boot of this machine and its process namespace (containers share host names)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _start_and_state(pid: int) -> tuple[str, str]:
    """Start time in ticks and state letter of a process; empty where there is no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "", ""
    # The second field, the program's name, may hold spaces and brackets.
    fields = stat.rpartition(")")[2].split()
    return fields[19], fields[0]


def _runs(pid: int, start: str) -> bool:
    """Whether the process of this id, started at this time, still runs here."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    now, state = _start_and_state(pid)
    # A killed process keeps its id as a zombie until its parent looks.
    return state != "Z" and (not start or not now or now == start)
