import errno
import os
from pathlib import Path

import pytest

from grok.runs import write_atomic
from grok.runs.files import is_temporary, sweep_temporary, temporary_name


def full_disk(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    write_atomic(path, b"a long first content")
    write_atomic(path, b"short")
    assert path.read_bytes() == b"short"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_raises_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "status.json"
    write_atomic(path, b"old")
    monkeypatch.setattr("grok.runs.files.os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    write_atomic(tmp_path / "ours", b"")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_sweeping_removes_our_temporary_files_and_no_others(tmp_path: Path) -> None:
    left = tmp_path / temporary_name("config.yaml")
    others = [tmp_path / name for name in (".gitignore", ".nfs0001", "notes.tmp", "config.yaml")]
    for path in (left, *others):
        path.write_text("")
    assert is_temporary(left.name)
    sweep_temporary(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(others)
    sweep_temporary(tmp_path / "absent")
