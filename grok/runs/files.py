"""Files that are either absent or whole."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

TEMPORARY = f".*.{'[0-9a-f]' * 12}.tmp"
"""Pattern of the temporary names given here."""


def temporary_name(name: str) -> str:
    """A hidden name that no other writer of ``name`` has: ``.<name>.<random>.tmp``."""
    return f".{name}.{secrets.token_hex(6)}.tmp"


def is_temporary(name: str) -> bool:
    """Whether readers skip this name: it starts with a dot or ends in ``.tmp``."""
    return name.startswith(".") or name.endswith(".tmp")


def write_atomic(path: Path, data: bytes) -> None:
    """Put a file in place whole, or leave what was there.

    The bytes go to a temporary file of the same directory, are flushed to the disk, and the
    file is renamed over ``path``; then the directory is flushed, so that the rename survives
    a power cut as well as a kill.

    Args:
        path: Where the file shall be; its directory exists.
        data: The whole content.

    Raises:
        OSError: If the disk is full or the directory cannot be written. The temporary file
            is then removed and an earlier ``path`` is as it was.
    """
    temporary = path.with_name(temporary_name(path.name))
    try:
        # Not `tempfile`, whose files nobody but their owner can read, even after the rename.
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _flush_directory(path.parent)


def sweep_temporary(directory: Path) -> None:
    """Remove the temporary files that killed writers left in a directory.

    Only for the process that holds the run's lock: another's file may be half written now.
    Files of other programs stay, hidden ones included. An absent directory is clean.
    """
    for path in directory.glob(TEMPORARY):
        if path.is_file():
            path.unlink(missing_ok=True)


def _flush_directory(directory: Path) -> None:
    """Flush the directory's entries, where the file system can."""
    # Some network file systems refuse this; the file itself is already in place.
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
