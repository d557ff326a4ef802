import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import pytest

from grok.runs import LockLost, RunLock, RunLocked, live_owner
from grok.runs.owner import LOCK, STALE_AFTER, read_owner, this_process

ELSEWHERE = {"host": "elsewhere", "boot": "another", "pid": 1}


def write_lock(run_dir: Path, age: float = 0.0, **changed: Any) -> None:
    """A lock as this process would write it, with some fields changed, ``age`` seconds old."""
    path = run_dir / LOCK
    path.write_text(json.dumps(this_process().__dict__ | changed))
    beat = time.time() - age
    os.utime(path, (beat, beat))


def dead_process() -> int:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as process:
        pass
    return process.pid


def test_a_lock_is_there_while_it_is_held_and_gone_after(tmp_path: Path) -> None:
    assert live_owner(tmp_path) is None
    with RunLock(tmp_path) as lock:
        lock.verify()
        owner = live_owner(tmp_path)
        assert owner is not None
        assert owner.is_this_process
    assert live_owner(tmp_path) is None
    assert not (tmp_path / LOCK).exists()
    with RunLock(tmp_path):
        pass


def test_a_lock_is_given_back_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), RunLock(tmp_path):
        _ = 1 / 0
    assert not (tmp_path / LOCK).exists()


def test_a_live_lock_is_refused_with_run_host_process_and_time(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        owner = live_owner(tmp_path)
        assert owner is not None
        with pytest.raises(RunLocked) as caught, RunLock(tmp_path):
            pass
        for said in (tmp_path.name, owner.host, str(os.getpid()), owner.since):
            assert said in str(caught.value)
        assert live_owner(tmp_path) == owner


def test_a_refused_lock_leaves_only_the_owner_s_files(tmp_path: Path) -> None:
    write_lock(tmp_path, **ELSEWHERE)
    with pytest.raises(RunLocked, match="elsewhere"), RunLock(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock.mutex", LOCK]


def stale_heartbeat(run_dir: Path) -> None:
    write_lock(run_dir, age=STALE_AFTER + 1, **ELSEWHERE)


def dead_owner(run_dir: Path) -> None:
    write_lock(run_dir, pid=dead_process())


def reused_process_id(run_dir: Path) -> None:
    write_lock(run_dir, start="1")


def half_written_long_ago(run_dir: Path) -> None:
    (run_dir / LOCK).write_text('{"host": "h')
    os.utime(run_dir / LOCK, (0, 0))


@pytest.mark.parametrize(
    "leave", [stale_heartbeat, dead_owner, reused_process_id, half_written_long_ago]
)
def test_a_stale_lock_is_taken_over(tmp_path: Path, leave: Callable[[Path], None]) -> None:
    leave(tmp_path)
    assert live_owner(tmp_path) is None
    with RunLock(tmp_path) as lock:
        lock.verify()
    assert [path.name for path in tmp_path.iterdir()] == [".lock.mutex"]


def recent_heartbeat(run_dir: Path) -> None:
    write_lock(run_dir, age=STALE_AFTER - 5, **ELSEWHERE)


def same_host_name_in_another_container(run_dir: Path) -> None:
    write_lock(run_dir, boot="another", pid=dead_process())


def half_written_now(run_dir: Path) -> None:
    (run_dir / LOCK).touch()


@pytest.mark.parametrize(
    "leave", [recent_heartbeat, same_host_name_in_another_container, half_written_now]
)
def test_a_lock_whose_owner_may_live_is_respected(
    tmp_path: Path, leave: Callable[[Path], None]
) -> None:
    leave(tmp_path)
    assert live_owner(tmp_path) is not None
    with pytest.raises(RunLocked), RunLock(tmp_path):
        pass


def test_a_zombie_does_not_hold_its_run(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", ""], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read()  # it is past its end, but nobody has waited for it
        write_lock(tmp_path, pid=process.pid, start="")
        deadline = time.monotonic() + 5
        while live_owner(tmp_path) is not None:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert process.returncode is None


def test_the_heartbeat_keeps_a_lock_fresh(tmp_path: Path) -> None:
    with RunLock(tmp_path, beat=0.01):
        os.utime(tmp_path / LOCK, (0, 0))
        deadline = time.monotonic() + 5
        while live_owner(tmp_path) is None:
            assert time.monotonic() < deadline
            time.sleep(0.001)


def test_an_owner_that_was_replaced_learns_it_and_leaves_the_new_lock_alone(
    tmp_path: Path,
) -> None:
    with RunLock(tmp_path, beat=0.01) as suspended:
        (tmp_path / LOCK).unlink()
        write_lock(tmp_path, age=60, **ELSEWHERE)
        before = (tmp_path / LOCK).stat().st_mtime
        with pytest.raises(LockLost, match=tmp_path.name):
            suspended.verify()
        time.sleep(0.03)
        # A heartbeat for the new owner would hide its death.
        assert (tmp_path / LOCK).stat().st_mtime == before
    assert read_owner(tmp_path / LOCK) is not None


def test_a_lock_taken_over_by_another_in_the_meantime_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a file system without kernel locks: judged stale, but replaced before the rename.
    write_lock(tmp_path, age=STALE_AFTER + 1, **ELSEWHERE)

    def judge_then_lose(run_dir: Path, stale_after: float) -> None:
        (run_dir / LOCK).unlink()
        write_lock(run_dir, **ELSEWHERE, token="new owner")

    monkeypatch.setattr("grok.runs.lock.live_owner", judge_then_lose)
    with pytest.raises(RunLocked, match="just been taken"), RunLock(tmp_path):
        pass
    owner = read_owner(tmp_path / LOCK)
    assert owner is not None
    assert owner.token == "new owner"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock.mutex", LOCK]


def race(run_dir: Path, rounds: int, gate: Barrier, results: Any) -> None:
    """Try to take the run in each round, and hold it until everybody has tried."""
    for n in range(rounds):
        if gate.wait() == 0:
            write_lock(run_dir, age=STALE_AFTER + 1, **ELSEWHERE)
        gate.wait()
        try:
            with RunLock(run_dir):
                results.put((n, os.getpid()))
                gate.wait()
        except RunLocked:
            gate.wait()


@pytest.mark.slow
def test_of_processes_that_race_for_a_stale_lock_exactly_one_wins(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    n_processes, rounds = 4, 100
    gate, results = context.Barrier(n_processes, timeout=60), context.Queue()
    processes = [
        context.Process(target=race, args=(tmp_path, rounds, gate, results))
        for _ in range(n_processes)
    ]
    for process in processes:
        process.start()
    winners = [results.get(timeout=60)[0] for _ in range(rounds)]
    for process in processes:
        process.join()
        assert process.exitcode == 0
        process.close()
    assert sorted(winners) == list(range(rounds))
    assert results.empty()
    results.close()


def hold(run_dir: Path, is_held: Event) -> None:
    with RunLock(run_dir):
        is_held.set()
        time.sleep(600)


@pytest.mark.slow
def test_a_killed_worker_s_run_is_taken_over_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    is_held = context.Event()
    worker = context.Process(target=hold, args=(tmp_path, is_held))
    worker.start()
    assert is_held.wait(60)
    with pytest.raises(RunLocked, match=f"process {worker.pid} "), RunLock(tmp_path):
        pass
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    with RunLock(tmp_path) as lock:
        lock.verify()
