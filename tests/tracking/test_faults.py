"""What breaks while a run trains: a disk that is full for real, a server that dies."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from grok.cli.serve import _ANY_KEY
from grok.config import parse_run
from grok.runs import Run, RunStore
from grok.sweep.serve import Ledger, Queue, SweepServer
from tests.running import FLAGS, assert_same

pytestmark = pytest.mark.slow
TINY = [flag for flag in FLAGS if "tracking" not in flag]
TINY += ["--n_steps=800", "--checkpoint.every=50"]
EXPERIMENT = "inductive_bias/readout_scale"


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A tmpfs of that size; the test is skipped where none can be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted: {done.stderr.strip()}")
    try:
        yield
    finally:
        # Lazily: W&B's own process may have its log open for a moment longer.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def train(store: Path, *flags: str, timeouts: float = 30.0, **environ: str) -> Any:
    """``grok train`` in a process of its own, which waits so long for W&B's server."""
    code = (
        "import sys\n"
        "from grok.tracking import wandb_run\n"
        f"wandb_run.INIT_TIMEOUT = wandb_run.FINISH_TIMEOUT = {timeouts}\n"
        "from grok.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    words = ["train", EXPERIMENT, *TINY, f"--runs_dir={store}", *flags]
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "WANDB_ERROR_REPORTING": "false", **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same run where nothing breaks."""
    store = tmp_path_factory.mktemp("undisturbed")
    done = train(store, "--tracking.mode=disabled")
    done.communicate(timeout=300)
    assert done.returncode == 0
    (run,) = RunStore(store).runs()
    return run


def test_the_run_store_has_it_all_where_the_disk_of_wandb_is_full(
    tmp_path: Path, undisturbed: Run
) -> None:
    run = RunStore(tmp_path / "runs").create(parse_run(EXPERIMENT, TINY))
    with small_disk(run.dir / "wandb", "64k"):
        done = train(tmp_path / "runs", "--tracking.mode=offline")
        _, said = done.communicate(timeout=300)
    assert done.returncode == 0
    assert "(is the disk full?); the run store has it all" in said
    assert_same(run, undisturbed)


def test_a_run_goes_on_when_its_disk_has_room_again(tmp_path: Path, undisturbed: Run) -> None:
    store = tmp_path / "runs"
    with small_disk(store, "300k"):
        done = train(store, "--tracking.mode=disabled")
        _, said = done.communicate(timeout=300)
        assert done.returncode == 1
        assert said.splitlines()[-1].startswith("grok: [Errno 28] No space left on device")
        assert "Traceback" not in said
        (run,) = RunStore(store).runs()
        run.final()  # what is there can be read
        subprocess.run(["mount", "-o", "remount,size=64m", str(store)], check=True)
        done = train(store, "--tracking.mode=disabled")
        done.communicate(timeout=300)
        assert done.returncode == 0
        assert_same(run, undisturbed)


def test_a_server_that_dies_in_mid_run_takes_nothing_from_the_run_store(
    tmp_path: Path, undisturbed: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(Ledger(tmp_path / "state"))
    server = SweepServer(queue, "127.0.0.1", 0)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    is_known = Event()

    def note(queue: Queue, id: str, body: Any) -> None:
        is_known.set()

    monkeypatch.setattr("grok.sweep.serve.http.take_stream", note)
    try:
        done = train(
            tmp_path / "runs",
            "--tracking.mode=online",
            timeouts=5.0,
            WANDB_BASE_URL=f"http://127.0.0.1:{server.server_port}",
            WANDB_API_KEY=_ANY_KEY,
        )
        assert is_known.wait(120)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        queue.ledger.close()
    _, said = done.communicate(timeout=300)
    assert done.returncode == 0
    assert "did not take all of this run; `wandb sync" in said
    (run,) = RunStore(tmp_path / "runs").runs()
    assert run.status()["status"] == "completed"
    assert_same(run, undisturbed)
