"""The panels as a W&B workspace: its JSON, and what a server on the loopback is handed."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from grok.inputs import InputError
from grok.tracking import dashboard
from grok.tracking.dashboard import from_json, to_json, workspace
from grok.tracking.panels import PAPERS, sections
from tests.running import command

PUSH = ("dashboard", "push")
VIEWER = {"id": "1", "entity": "me", "username": "me", "email": "me", "flags": "{}"}


class Server(ThreadingHTTPServer):
    """Answers as W&B does to who pushes a workspace, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.views: dict[str, dict[str, Any]] = {}
        self.refusal = ""

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((operation, given))
        if operation in ("Viewer", "GetDefaultEntity"):
            return {"data": {"viewer": VIEWER | {"teams": {"edges": []}}}}
        if operation == "View":
            view = self.views.get(given["viewName"])
            edges = [] if view is None else [{"node": view}]
            return {"data": {"project": {"allViews": {"edges": edges}}}}
        assert operation == "UpsertView2", operation
        if self.refusal:
            return {"data": None, "errors": [{"message": self.refusal}]}
        is_new = given["name"] not in self.views
        view = {"id": "V1", "displayName": given["displayName"], "spec": given["spec"]}
        self.views[given["name"]] = view
        taken = {"view": {"id": "V1", "name": given["name"]}, "inserted": is_new}
        return {"data": {"upsertView": taken}}

    def pushed(self) -> list[dict[str, Any]]:
        """Variables of each push."""
        return [given for operation, given in self.asked if operation == "UpsertView2"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        operation = re.search(r"(?:query|mutation)\s+(\w+)", body["query"])
        assert operation is not None
        assert isinstance(self.server, Server)
        answer = json.dumps(self.server.answer(operation[1], body.get("variables") or {})).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))  # no key of the account that tests
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as made:
        thread = Thread(target=made.serve_forever, daemon=True)
        thread.start()
        point_to(f"http://127.0.0.1:{made.server_port}", monkeypatch)
        yield made
        made.shutdown()
        thread.join()


def point_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", url)
    monkeypatch.setenv("WANDB_API_KEY", 40 * "a")


def panels_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Every panel of a workspace's spec."""
    return [p for s in spec["section"]["panelBankConfig"]["sections"] for p in s["panels"]]


def check_spec(spec: dict[str, Any], paper: str | None = None) -> None:
    """The spec has our panels, in order, over our own step."""
    ours = [p for section in sections(paper) for p in section.panels if p.is_on_wandb]
    theirs = panels_of(spec)
    assert [p["config"]["chartTitle"] for p in theirs] == [p.title for p in ours]
    for panel, made in zip(ours, theirs, strict=True):
        config = made["config"]
        if panel.kind == "scalar":
            assert (made["viewType"], config["metrics"]) == ("Bar Chart", list(panel.keys))
            continue
        assert made["viewType"] == "Run History Line Plot"
        assert config["xAxis"] == "step"
        scales = (config.get("xLogScale", False), config.get("yLogScale", False))
        assert scales == (panel.log_x, panel.log_y)
        if any("<" in key for key in panel.keys):
            assert config["useMetricRegex"]
            assert config["metricRegex"] == dashboard.metric_regex(panel.keys)
        else:
            assert config["metrics"] == list(panel.keys)
    settings = spec["section"]["settings"]
    assert (settings["xAxis"], settings["smoothingActive"]) == ("step", False)
    for section in spec["section"]["panelBankConfig"]["sections"]:
        assert section["localPanelSettings"]["xAxis"] == "step"


def run_set(text: str) -> dict[str, Any]:
    return json.loads(text)["spec"]["section"]["runSets"][0]


@pytest.mark.parametrize("paper", [None, *PAPERS])
def test_a_workspace_has_our_panels_and_comes_back_from_its_text(paper: str | None) -> None:
    made = workspace(sections(paper), "all", project="p", entity="e")
    text = to_json(made)
    check_spec(json.loads(text)["spec"], paper)
    assert to_json(from_json(text)) == text
    assert to_json(workspace(sections(paper), "all", project="p", entity="e")) == text


@pytest.mark.parametrize("group", ["inductive_bias/layernorm", "a'b\"c", "lr=0.1) or (1==1", "\\"])
def test_only_runs_of_a_group_are_shown_whatever_it_is_called(group: str) -> None:
    text = to_json(workspace(sections(), "n", project="p", group=group))
    (only,) = run_set(text)["filters"]["filters"]
    assert (only["key"], only["op"], only["value"]) == (
        {"section": "run", "name": "group"},
        "=",
        group,
    )
    assert run_set(text)["grouping"] == []
    assert to_json(from_json(text)) == text


def test_groups_are_drawn_together_where_asked() -> None:
    text = to_json(workspace(sections(), "n", project="p", is_grouped=True))
    assert run_set(text)["grouping"] == [{"section": "run", "name": "group"}]
    assert run_set(text)["filters"]["filters"] == []
    assert to_json(from_json(text)) == text


def test_a_name_that_wandb_refuses_is_said_in_one_line() -> None:
    with pytest.raises(InputError, match="W&B takes no workspace"):
        workspace(sections(), "a \N{ROCKET}", project="p")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"entity": 3}', "not json"])
def test_a_file_that_is_no_workspace_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "w.json").write_text(text)
    done = command(capsys, *PUSH, "w.json")
    assert done.code == 2
    assert done.err.startswith("grok: no workspace of grok dashboard: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dashboard"], "grok dashboard push is all there is"),
        ([*PUSH, "--paper=x"], "no panels of a paper 'x'; there are: inductive-bias"),
        ([*PUSH, "w.json", "--paper=norm-growth"], "--paper is for the list of panels"),
        ([*PUSH, "absent.json"], "absent.json: cannot be read"),
        ([*PUSH, "-o", "nowhere/w.json"], "nowhere/w.json: there is no folder nowhere"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = command(capsys, *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


def test_without_the_package_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.workspaces", None)
    done = command(capsys, *PUSH)
    line = "wandb-workspaces is not installed: pip install 'grokking-lab[dashboard]'"
    assert (done.code, done.err) == (2, f"grok: {line}\n")


@pytest.mark.slow
def test_a_push_hands_the_server_our_panels_and_another_replaces_them(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    first = command(capsys, *PUSH, "--project=p")
    again = command(capsys, *PUSH, "--project=p")
    other = command(capsys, *PUSH, "--entity=team", "--paper=norm-growth", "--group=layernorm")
    assert [done.code for done in (first, again, other)] == [0, 0, 0]
    assert [done.err for done in (first, again, other)] == ["", "", ""]
    url = first.out.removeprefix("new: ")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/me/p\?nw=[0-9a-f]{11}\n", url)
    assert again.out == f"replaced: {url}"
    assert other.out.startswith("new: ")

    one, two, three = server.pushed()
    assert (one["entityName"], one["projectName"], one["displayName"]) == ("me", "p", "grok")
    assert ("id" in one, two["id"], "id" in three) == (False, "V1", False)
    assert one["name"] == two["name"] != three["name"]
    assert one["spec"] == two["spec"]
    check_spec(json.loads(one["spec"]))
    check_spec(json.loads(three["spec"]), "norm-growth")
    assert three["entityName"] == "team"
    assert three["projectName"] == "grok"
    assert three["displayName"] == "grok, Merrill et al. 2021, inductive_bias/layernorm"


@pytest.mark.slow
def test_a_server_that_refuses_leaves_a_file_that_is_pushed_later(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.refusal = "no project p here"
    done = command(capsys, *PUSH, "--project=p")
    assert (done.code, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert "no project p here" in line
    assert line.endswith("`grok dashboard push wandb-workspace.json` sends it")
    server.refusal = ""
    assert command(capsys, *PUSH, "wandb-workspace.json", "--project=q").code == 0
    refused, taken = server.pushed()
    assert (refused["spec"], taken["projectName"]) == (taken["spec"], "q")


@pytest.mark.slow
def test_a_server_that_is_not_there_leaves_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    point_to("http://127.0.0.1:9", monkeypatch)
    monkeypatch.setattr(dashboard, "TIMEOUT", 1)
    done = command(capsys, *PUSH)
    assert (done.code, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert "with http://127.0.0.1:9: no answer in time; it is in wandb-workspace.json" in line
    check_spec(json.loads((tmp_path / "wandb-workspace.json").read_text())["spec"])


@pytest.mark.slow
def test_without_a_key_nobody_is_asked(tmp_path: Path) -> None:
    # In a process of its own: W&B remembers the key of an earlier test.
    code = "from grok.cli import entry; entry()"
    done = subprocess.run(
        [sys.executable, "-c", code, *PUSH],
        env=os.environ | {"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "No API key" in line
    assert (tmp_path / "wandb-workspace.json").is_file()


def test_a_file_is_written_where_asked_and_nobody_is_asked(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = command(capsys, *PUSH, "--group=layernorm", "-o", "w.json")
    line = "w.json: `grok dashboard push w.json` sends it to W&B\n"
    assert (done.code, done.out, done.err) == (0, line, "")
    text = (tmp_path / "w.json").read_text()
    assert run_set(text)["filters"]["filters"][0]["value"] == "inductive_bias/layernorm"
    assert server.asked == []
