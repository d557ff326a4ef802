"""The sweep server with W&B's own, unmodified commands, each in a process of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
import yaml

from grok.cli import main
from grok.cli.serve import _ANY_KEY
from grok.runs import RunStore, live_owner
from grok.sweep.serve import Ledger, Queue, SweepServer
from grok.sweep.serve.http import Handler
from tests.running import FLAGS, assert_same

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
WANDB = Path(sys.executable).with_name("wandb")
LIGHT = ["${env}", sys.executable, str(Path(__file__).with_name("light.py"))]


_STARTED: list[subprocess.Popen[Any]] = []


@pytest.fixture(autouse=True)
def _no_process_stays() -> Iterator[None]:
    """What a failed test has left running ends."""
    yield
    while _STARTED:
        process = _STARTED.pop()
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def served(state: Path, handler: type[Handler] = Handler) -> Iterator[SweepServer]:
    """A server in this process, on a free port."""
    queue = Queue(Ledger(state))
    server = SweepServer(queue, "127.0.0.1", 0, handler=handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        queue.ledger.close()


def environment(folder: Path, port: int) -> dict[str, str]:
    """What the commands find: the server, and a ``grok`` that is this checkout's."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    code = "from grok.cli import entry; entry()"
    script = f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -c "{code}" "$@"\n'
    (programs / "grok").write_text(script)
    (programs / "grok").chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    return kept | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "GROK_RUNS": str(folder / "runs"),
        "WANDB_BASE_URL": f"http://127.0.0.1:{port}",
        "WANDB_API_KEY": _ANY_KEY,
        "WANDB_ERROR_REPORTING": "false",
        "OMP_NUM_THREADS": "1",
    }


def swept(folder: Path, env: Mapping[str, str], config: Mapping[str, Any]) -> str:
    """``wandb sweep``; what to hand to ``wandb agent``."""
    file = folder / "sweep.yaml"
    file.write_text(yaml.safe_dump({"project": "grok", "method": "grid", **config}))
    done = subprocess.run(
        [WANDB, "sweep", file], cwd=folder, env=env, capture_output=True, text=True, timeout=120
    )
    found = re.search(r"wandb agent (\S+)", done.stdout + done.stderr)
    assert found, done.stderr
    return found[1]


def agent(folder: Path, env: Mapping[str, str], sweep: str) -> "subprocess.Popen[bytes]":
    """``wandb agent``, whose output goes to a file."""
    with (folder / "agents.txt").open("ab") as out:
        started = subprocess.Popen(
            [WANDB, "agent", sweep], cwd=folder, env=env, stdout=out, stderr=subprocess.STDOUT
        )
    _STARTED.append(started)
    return started


def light(folder: Path, *codes: int) -> dict[str, Any]:
    """A grid of runs that end with these codes (modulo 10)."""
    command = [*LIGHT, str(folder / "ran.txt"), "${args}"]
    return {"command": command, "parameters": {"code": {"values": list(codes)}}}


def states(ledger: Ledger) -> list[tuple[str, int | None]]:
    """State and exit code of every run, in the order made."""
    rows = ledger.rows("SELECT state, exit_code FROM runs ORDER BY number")
    return [(row["state"], row["exit_code"]) for row in rows]


def trained(values: Mapping[str, Any], n_steps: int, *flags: str) -> dict[str, Any]:
    """A grid of tiny runs of a real experiment."""
    tiny = [flag for flag in FLAGS if "tracking" not in flag]
    experiment = "inductive_bias/readout_scale"
    parameters = {name: {"values": each} for name, each in values.items()}
    return {
        "command": ["${env}", "grok", "train", experiment, "${args}", *tiny, *flags],
        "parameters": {"n_steps": {"value": n_steps}, **parameters},
    }


def test_two_agents_train_a_grid_each_run_once_and_all_is_in_the_store(tmp_path: Path) -> None:
    with served(tmp_path / "state") as server:
        env = environment(tmp_path, server.server_port)
        config = trained({"model.readout_scale": [0.5, 1.5]}, 3, "--seeds=1,2")
        sweep = swept(tmp_path, env, config)
        agents = [agent(tmp_path, env, sweep) for _ in range(2)]
        assert [each.wait(150) for each in agents] == [0, 0]
        runs = server.queue.ledger.rows("SELECT * FROM runs")
    assert [(run["state"], run["exit_code"], run["n_given"]) for run in runs] == [
        ("finished", 0, 1)
    ] * 2
    assert len({run["agent"] for run in runs}) == 2
    stored = RunStore(tmp_path / "runs").runs()
    cells = [(run.config.model.readout_scale, run.config.data.split_seed) for run in stored]
    assert sorted(cells) == [(0.5, 1), (0.5, 2), (1.5, 1), (1.5, 2)]
    assert {run.status()["status"] for run in stored} == {"completed"}
    here = ["sweep", "run", str(tmp_path / "sweep.yaml"), f"--runs_dir={tmp_path / 'here'}"]
    assert main([*here, "--workers=1", "--tracking.mode=disabled"]) == 0
    for run, other in zip(stored, RunStore(tmp_path / "here").runs(), strict=True):
        assert_same(run, other)
    for run in runs:  # what was shown is what ran
        shown = {k: v["value"] for k, v in json.loads(run["config"]).items() if k != "_wandb"}
        scale = json.loads(run["args"])["model.readout_scale"]["value"]
        assert (shown["model.readout_scale"], shown["data.split_seed"]) == (scale, [1, 2])
        summary = json.loads(run["summary"])
        losses = [r.final()["loss/test"] for r in stored if r.config.model.readout_scale == scale]
        assert summary["loss/test"] == pytest.approx(sum(losses) / 2)


def test_a_run_that_a_signal_stops_is_handed_out_again_and_equals_one_that_was_not(
    tmp_path: Path,
) -> None:
    """The agent itself stays; W&B's own server would not hand such a run out again."""
    with served(tmp_path / "state") as server:
        env = environment(tmp_path, server.server_port)
        sweep = swept(tmp_path, env, trained({"seed": [1]}, 3000, "--checkpoint.seconds=0.2"))
        started = agent(tmp_path, env, sweep)
        _wait(lambda: list((tmp_path / "runs").glob("*/checkpoints/*.safetensors")))
        (run,) = RunStore(tmp_path / "runs").runs()
        owner = live_owner(run.dir)
        assert owner is not None
        os.kill(owner.pid, signal.SIGTERM)
        assert started.wait(150) == 0
        (row,) = server.queue.ledger.rows("SELECT * FROM runs")
    assert (row["state"], row["n_given"]) == ("finished", 2)
    assert json.loads(row["summary"])["step"] == 3000
    flags = [
        "--seed=1",
        "--checkpoint.seconds=0.2",
        "--n_steps=3000",
        f"--runs_dir={tmp_path / 'other'}",
    ]
    assert main(["train", "inductive_bias/readout_scale", *FLAGS, *flags]) == 0
    assert_same(run, RunStore(tmp_path / "other").find(run.key))


class Faulty(Handler):
    """Answers heartbeats with 500, with 429, then not at all, then as they should be."""

    faults: ClassVar[Counter[str]] = Counter()

    def _graphql(self, body: dict[str, Any]) -> dict[str, Any]:
        name = re.findall(r"(?:query|mutation) (\w+)", body["query"])[0]
        n = Faulty.faults[name]
        Faulty.faults[name] += 1
        if name == "Heartbeat" and n < 2:
            self.send_response((500, 429)[n])
            self.send_header("Content-Length", "0")
            self.end_headers()
            raise ConnectionAbortedError("a fault of the test")
        found = super()._graphql(body)
        if name == "Heartbeat" and n == 2:  # the first run is given, and nobody learns of it
            self.connection.shutdown(socket.SHUT_WR)
            time.sleep(3)
            raise ConnectionAbortedError("a hang of the test")
        return found


def test_errors_and_a_hang_lose_no_run_and_give_none_twice(tmp_path: Path) -> None:
    Faulty.faults.clear()
    with served(tmp_path / "state", Faulty) as server:
        env = environment(tmp_path, server.server_port)
        search = {"method": "bayes", "metric": {"name": "loss/test"}, "run_cap": 2}
        config = {**light(tmp_path), **search, "parameters": {"code": {"min": 0.0, "max": 0.9}}}
        sweep = swept(tmp_path, env, config)
        assert agent(tmp_path, env, sweep).wait(120) == 0
        found = states(server.queue.ledger)
        best = server.queue.ledger.rows("SELECT best FROM runs ORDER BY number")
    assert found == [("finished", 0)] * 2
    ran = (tmp_path / "ran.txt").read_text().split()  # each once, and its metric was seen
    assert ran == [f"--code={row['best']}" for row in best]
    assert Faulty.faults["Heartbeat"] > 3


def test_a_killed_server_goes_on_where_it_was_and_a_failed_run_is_not_repeated(
    tmp_path: Path,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = environment(tmp_path, port)
    ran = tmp_path / "ran.txt"
    server = _process(env, port)
    try:
        sweep = swept(tmp_path, env, light(tmp_path, 0, 1, 10))
        agents = agent(tmp_path, env, sweep)
        _wait(lambda: ran.exists())
        server.send_signal(signal.SIGKILL)
        server.wait()
        server = _process(env, port)
        assert agents.wait(120) == 0
    finally:
        server.terminate()
        assert server.wait(20) == 128 + signal.SIGTERM
    ledger = Ledger(tmp_path / "runs" / "sweeps.sqlite")
    assert states(ledger)[1:] == [("failed", 1), ("finished", 0)]
    assert states(ledger)[0][0] in ("finished", "ended")  # killed before or after it was told
    assert ran.read_text().split() == ["--code=0", "--code=1", "--code=10"]
    ledger.close()


def _process(env: Mapping[str, str], port: int) -> "subprocess.Popen[str]":
    """``grok sweep serve``, ready."""
    line = ["grok", "sweep", "serve", f"--port={port}"]
    server = subprocess.Popen(line, env=env, stdout=subprocess.PIPE, text=True)
    _STARTED.append(server)
    assert server.stdout is not None
    assert "This is not W&B" in server.stdout.readline()
    return server


def _wait(is_so: Any) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.1)
