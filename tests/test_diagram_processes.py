"""``grok diagram`` with real processes: stopped in the middle it loses nothing."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen, run

import polars as pl
import pytest

from grok.runs import RunStore
from tests.running import files
from tests.sweep.test_local import children, is_running, wait_for
from tests.sweep.toy_cells import toy_sweep

pytestmark = pytest.mark.slow

AXES = {"optim.lr": [1e-3, 1e-2], "toy.width": [8, 16], "seed": [0, 1]}
N_STEPS = 600


def command(file: str, runs_dir: Path) -> list[str]:
    script = str(Path(sys.executable).with_name("grok"))
    options = (f"--runs_dir={runs_dir}", "--workers=1", "--lag=20", "--tracking.mode=disabled")
    return [script, "diagram", file, *options, "--json"]


def tiny_sweep(folder: Path) -> str:
    """Four cells of two seeds: two widths, hence two stacks at least. States are saved often."""
    return toy_sweep(folder, AXES, n_steps=N_STEPS, checkpoint={"seconds": 0.0})


@contextmanager
def started(file: str, runs_dir: Path) -> Iterator["Popen[str]"]:
    """The command in a process group of its own."""
    process = Popen(
        command(file, runs_dir), stdout=PIPE, stderr=PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def is_in_the_middle(runs_dir: Path) -> bool:
    """Whether a run has saved a state, and is not through."""
    stored = [one.status() for one in RunStore(runs_dir).runs()]
    return any(s["status"] == "running" and 0 < s["step"] < N_STEPS for s in stored)


def cells_of(runs_dir: Path, folder: Path) -> Path:
    return runs_dir / "diagrams" / folder.name / "grid" / "cells.parquet"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table of cells that were trained at once."""
    folder = tmp_path_factory.mktemp("whole")
    done = run(
        command(tiny_sweep(folder), folder / "runs"), capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert {cell["status"] for cell in found["cells"]} == {"completed"}
    assert {cell["phase"] for cell in found["cells"]} != {"undecided"}
    path = cells_of(folder / "runs", folder)
    assert pl.read_parquet(path).to_dicts() == found["cells"]
    return path.read_bytes()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_diagram_that_is_stopped_goes_on_and_comes_out_the_same(
    how: signal.Signals, whole: bytes, tmp_path: Path
) -> None:
    runs_dir, file = tmp_path / "runs", tiny_sweep(tmp_path)
    path = cells_of(runs_dir, tmp_path)
    with started(file, runs_dir) as process:
        wait_for(lambda: is_in_the_middle(runs_dir))
        workers = children(process.pid)
        if how == signal.SIGKILL:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=120)
    wait_for(lambda: not any(is_running(pid) for pid in workers), seconds=30)
    if how == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
        assert not path.exists()
    else:
        assert process.returncode == 130, err
        assert "Traceback" not in err
        assert err.splitlines()[-1] == "The same command goes on from there."
        part = pl.read_parquet(path)
        assert json.loads(out)["cells"] == part.to_dicts()
        assert {"interrupted"} <= set(part["status"]) <= {"completed", "interrupted", "new"}
        assert "undecided" in set(part["phase"])
    again = run(command(file, runs_dir), capture_output=True, text=True, check=True)
    assert path.read_bytes() == whole, again.stderr
    before = files(runs_dir)
    other = run([*command(file, runs_dir), "--lag=1"], capture_output=True, text=True, check=True)
    assert len(json.loads(other.stdout)["cells"]) == len(json.loads(again.stdout)["cells"])
    changed = {at.name for at, time in files(runs_dir).items() if before.get(at) != time}
    assert changed == {"cells.parquet", "map.txt", "map.png"}
