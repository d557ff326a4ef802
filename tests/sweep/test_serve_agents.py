"""The sweep server with W&B's own, unmodified commands, each in a process of its own."""

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

from grok.cli.serve import _ANY_KEY
from grok.runs import RunStore
from grok.sweep.serve import Ledger, Queue, SweepServer
from grok.sweep.serve.http import Handler
from tests.running import FLAGS

pytestmark = [pytest.mark.slow, pytest.mark.skip(reason="not yet seen to pass")]
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


def test_two_agents_train_a_grid_each_run_once_and_all_is_in_the_store(tmp_path: Path) -> None:
    experiment = "inductive_bias/readout_scale"
    flags = [flag for flag in FLAGS if "tracking" not in flag]
    config = {
        "command": ["${env}", "grok", "train", experiment, "${args}", *flags],
        "parameters": {"n_steps": {"value": 3}, "model.readout_scale": {"values": [0.5, 1.5]}},
    }
    with served(tmp_path / "state") as server:
        env = environment(tmp_path, server.server_port)
        sweep = swept(tmp_path, env, config)
        agents = [agent(tmp_path, env, sweep) for _ in range(2)]
        assert [each.wait(150) for each in agents] == [0, 0]
        runs = server.queue.ledger.rows("SELECT * FROM runs")
    assert [(run["state"], run["exit_code"], run["n_given"]) for run in runs] == [
        ("finished", 0, 1)
    ] * 2
    assert len({run["agent"] for run in runs}) == 2
    stored = list(RunStore(tmp_path / "runs").runs())
    assert sorted(run.config.model.readout_scale for run in stored) == [0.5, 1.5]
    assert {run.status()["status"] for run in stored} == {"completed"}
    for run in runs:  # what was shown is what ran
        shown = {k: v["value"] for k, v in yaml.safe_load(run["config"]).items() if k != "_wandb"}
        given = yaml.safe_load(run["args"])
        assert shown["n_steps"] == 3
        assert shown["model.readout_scale"] == given["model.readout_scale"]["value"]
        assert yaml.safe_load(run["summary"])["step"] == 3


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
        sweep = swept(tmp_path, env, light(tmp_path, 0, 10))
        assert agent(tmp_path, env, sweep).wait(120) == 0
        found = states(server.queue.ledger)
    assert found == [("finished", 0)] * 2
    assert (tmp_path / "ran.txt").read_text().split() == ["--code=0", "--code=10"]
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
