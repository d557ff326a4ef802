"""The sweep server without processes: its queue under the test's clock, its search, its doors."""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import yaml

from grok.inputs import InputError
from grok.sweep.document import SweepDocument, read_document
from grok.sweep.search import Past, proposal, to_args
from grok.sweep.serve import Ledger, Queue, SweepServer
from grok.sweep.serve.record import take_stream
from tests.running import command

GRID = {"method": "grid", "parameters": {"a": {"values": [1, 2]}, "b": {"values": [3.5, 4.5]}}}
TOKEN = "t" * 40


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Farm:
    """A queue on a file, with a sweep and agents that speak to it."""

    def __init__(self, path: Path, config: dict[str, Any] = GRID) -> None:
        self.path, self.clock = path, Clock()
        self.queue = Queue(Ledger(path), clock=self.clock, seed=1)
        self.sweep = self.queue.add_sweep(yaml.safe_dump(config), "local", "grok")

    def agent(self) -> str:
        return self.queue.add_agent(self.sweep, "here")

    def beat(self, agent: str, *running: str, later: float = 5.0) -> list[dict[str, Any]]:
        """A heartbeat some seconds after the last; its answer arrives."""
        commands = self.beat_unanswered(agent, *running, later=later)
        self.queue.sent(commands)
        return commands

    def beat_unanswered(self, agent: str, *running: str, later: float = 5.0) -> list[Any]:
        self.clock.now += later
        return self.queue.heartbeat(agent, running)

    def given(self, agent: str) -> str:
        [one] = self.beat(agent)
        assert one["type"] == "run"
        return one["run_id"]

    def state(self, run: str) -> str:
        found = self.queue.ledger.one("runs", run)
        assert found is not None
        return found["state"]

    def ends(self, run: str, code: int) -> None:
        take_stream(self.queue, run, {"files": {}, "complete": True, "exitcode": code})

    def restart(self) -> None:
        self.queue.ledger.close()
        self.queue = Queue(Ledger(self.path), clock=self.clock, seed=1)


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    return Farm(tmp_path / "sweeps.sqlite")


def test_two_agents_get_every_cell_once_and_leave_when_all_are_over(farm: Farm) -> None:
    one, two = farm.agent(), farm.agent()
    seen = []
    for _ in range(2):
        for agent in (one, two):
            [given] = farm.beat(agent)
            seen.append({name: each["value"] for name, each in given["args"].items()})
    assert seen == [{"a": a, "b": b} for a in (1, 2) for b in (3.5, 4.5)]
    assert farm.beat(one) == []  # the other's last run may still come back
    assert farm.beat(two) == [{"type": "exit"}]
    assert farm.beat(one) == [{"type": "exit"}]


def test_a_restart_loses_no_run_and_gives_none_twice(farm: Farm) -> None:
    agent = farm.agent()
    first = farm.given(agent)
    farm.restart()
    assert farm.beat(agent, first) == []
    farm.ends(first, 0)
    farm.restart()
    second = farm.given(agent)
    assert (farm.state(first), farm.state(second)) == ("finished", "running")
    assert first != second


def test_a_run_whose_answer_never_went_out_is_given_again(farm: Farm) -> None:
    agent = farm.agent()
    [lost] = farm.beat_unanswered(agent)
    farm.restart()
    assert farm.beat(agent) == [lost]
    assert farm.beat(agent, later=1.0) == [lost]  # sooner than an agent that had it would ask
    assert farm.beat(agent) != [lost]
    assert farm.state(lost["run_id"]) == "ended"


def test_a_run_of_a_silent_agent_goes_to_another_and_the_first_is_told_to_stop(farm: Farm) -> None:
    one, two = farm.agent(), farm.agent()
    run = farm.given(one)
    other = farm.given(two)
    farm.beat(two, other, later=114)  # 119 seconds after the first was heard
    assert farm.state(run) == "running"
    farm.beat(two, other)
    assert farm.state(run) == "queued"
    assert farm.given(two) == run
    assert farm.beat(one, run) == [{"type": "stop", "run_id": run}]


def test_a_silent_agent_that_comes_back_in_time_keeps_its_run(farm: Farm) -> None:
    one, two = farm.agent(), farm.agent()
    run = farm.given(one)
    farm.beat(two, farm.given(two), later=130)
    assert farm.state(run) == "queued"
    assert farm.beat(one, run) == []
    assert farm.state(run) == "running"


def test_a_run_that_still_sends_is_not_taken_from_a_killed_agent(farm: Farm) -> None:
    one, two = farm.agent(), farm.agent()
    run, other = farm.given(one), farm.given(two)
    farm.clock.now += 100
    take_stream(farm.queue, run, {"files": {}})
    farm.beat(two, other, later=100)
    assert farm.state(run) == "running"


@pytest.mark.parametrize(
    ("code", "state"), [(0, "finished"), (1, "failed"), (143, "queued"), (130, "queued")]
)
def test_a_run_that_a_signal_stopped_is_queued_again_and_a_failed_one_is_not(
    farm: Farm, code: int, state: str
) -> None:
    agent, other = farm.agent(), farm.agent()
    run = farm.given(agent)
    farm.ends(run, code)
    farm.beat(other, farm.given(other))
    assert farm.state(run) == "running"  # until its agent says so
    [then] = farm.beat(agent)
    assert (then["run_id"] == run) == (state == "queued")
    assert farm.state(run) == ("running" if state == "queued" else state)


def test_a_paused_sweep_gives_nothing_and_a_cancelled_one_stops_its_runs(farm: Farm) -> None:
    agent, idle = farm.agent(), farm.agent()
    run = farm.given(agent)
    farm.queue.set_state(farm.sweep, "PAUSED")
    assert farm.beat(idle) == []
    farm.queue.set_state(farm.sweep, "CANCELED")
    assert farm.beat(agent, run) == [{"type": "stop", "run_id": run}]
    assert farm.beat(idle) == [{"type": "exit"}]


def test_a_second_server_on_one_file_is_refused(farm: Farm) -> None:
    with pytest.raises(InputError, match="another server has it"):
        Ledger(farm.path)


def document(config: dict[str, Any]) -> SweepDocument:
    return read_document(yaml.safe_dump(config))


def test_nested_parameters_reach_the_agent_as_one_dictionary() -> None:
    inner = {"parameters": {"lr": {"value": 0.5}, "eps": {"value": 0.25}}}
    found = document({"method": "grid", "parameters": {"optim": inner}})
    values = proposal(found, [], 0)
    assert values is not None
    assert values == {"optim.lr": 0.5, "optim.eps": 0.25}
    assert to_args(found, values) == {"optim": {"value": {"lr": 0.5, "eps": 0.25}}}


def test_random_runs_follow_from_seed_and_number_and_end_at_the_cap() -> None:
    parameters = {"n": {"min": 1, "max": 10**9}}
    config = document({"method": "random", "run_cap": 2, "parameters": parameters})
    first = proposal(config, [], 7)
    assert first is not None
    past = [Past("x", first, "running", None)]
    assert proposal(config, [], 7) == first
    assert proposal(config, past, 7) != first
    assert proposal(config, [], 8) != first
    assert proposal(config, past * 2, 7) is None


def test_bayes_comes_closer_to_the_optimum_than_chance() -> None:
    metric = {"name": "loss", "goal": "minimize"}
    parameters = {"x": {"min": 0.0, "max": 1.0}}
    config = document({"method": "bayes", "metric": metric, "parameters": parameters})
    past: list[Past] = []
    for number in range(8):
        found = proposal(config, past, 3)
        assert found is not None
        loss = (found["x"] - 0.7) ** 2
        past.append(Past(str(number), found, "finished", loss))
    far = [abs(run.values["x"] - 0.7) for run in past]
    assert np.mean(far[4:]) < 0.29  # the mean distance of uniform draws, (0.7² + 0.3²) / 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"method": "gird"}, "allowed are grid, random, bayes"),
        ({"parameters": {"optim.lr": {"values": ["1e-3"]}}}, "write 0.001"),
        ({"parameters": {"a": {"min": 0, "max": 1}}}, "write value"),
        ({"method": "random", "parameters": {"a": {"min": 2, "max": 1}}}, "above max"),
        ({"method": "bayes"}, "bayes needs metric"),
        ({"run_cap": 0}, "1 or more"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    change: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        read_document(yaml.safe_dump(GRID | change))


@contextmanager
def served(path: Path, token: str | None) -> Iterator[HTTPConnection]:
    """A connection to a server in this process."""
    queue = Queue(Ledger(path))
    server = SweepServer(queue, "127.0.0.1", 0, token)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()
        server.shutdown()
        thread.join()
        server.server_close()
        queue.ledger.close()


def ask(connection: HTTPConnection, query: str, headers: dict[str, str] | None = None) -> Any:
    """Status and document of a GraphQL request."""
    body = json.dumps({"query": query, "variables": {}})
    connection.request("POST", "/graphql", body, headers or {})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_with_a_token_nobody_else_is_answered(tmp_path: Path) -> None:
    def key(token: str) -> dict[str, str]:
        return {"Authorization": f"Basic {b64encode(f'api:{token}'.encode()).decode()}"}

    with served(tmp_path / "state", TOKEN) as connection:
        found = [ask(connection, "query Viewer {}", h)[0] for h in ({}, key("x"), key(TOKEN))]
    assert found == [401, 401, 200]


def test_pages_of_a_browser_and_unknown_operations_are_refused(tmp_path: Path) -> None:
    with served(tmp_path / "state", None) as connection:
        assert ask(connection, "query Viewer {}", {"Origin": "http://evil"})[0] == 403
        status, found = ask(connection, "query Launch {}")
        connection.request("GET", "/local/grok/sweeps/x")
        page = connection.getresponse().read().decode()
    assert status == 400
    assert "not W&B" in found["errors"][0]["message"]
    assert "not W&B" in page


def test_an_open_address_needs_a_token(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    flags = ("--host=0.0.0.0", "--port=0", f"--state={tmp_path / 'state'}")
    monkeypatch.delenv("GROK_SWEEP_TOKEN", raising=False)
    found = command(capsys, "sweep", "serve", *flags)
    assert (found.code, found.out) == (2, "")
    assert found.err == (
        "grok: host=0.0.0.0 is open to other machines: put a token into $GROK_SWEEP_TOKEN\n"
    )
    monkeypatch.setenv("GROK_SWEEP_TOKEN", "short")
    assert "40 or more letters" in command(capsys, "sweep", "serve", *flags).err
