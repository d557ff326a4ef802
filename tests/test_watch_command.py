"""``grok watch``: a page that follows its runs."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from grok.cli.pages import subject_of
from grok.cli.report import parse
from grok.inputs import InputError
from grok.report.live import LivePage, PageServer
from grok.report.page.run_page import run_page
from grok.runs import ReadingsWriter, Run, RunStore
from tests.report.stores import config_of, grokking, store_run
from tests.running import FLAGS, command

NOT_YET = "nothing has been read yet"


class Client:
    """Asks a server as a browser does."""

    def __init__(self, server: PageServer) -> None:
        self.address = server.server_address[:2]

    def get(self, path: str, host: str | None = None) -> tuple[int, bytes]:
        connection = HTTPConnection(str(self.address[0]), int(self.address[1]), timeout=30)
        with closing(connection):
            connection.request("GET", path, headers={"Host": host} if host else {})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def content(self) -> dict[str, Any]:
        return json.loads(self.get("/content.json")[1])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return RunStore(tmp_path).create(config_of())


@pytest.fixture
def live(run: Run) -> LivePage:
    return LivePage(run.key, lambda: run_page(run), lambda: [run.dir])


@pytest.fixture
def client(live: LivePage) -> Iterator[Client]:
    server = PageServer(live, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield Client(server)
    server.shutdown()
    server.server_close()
    thread.join()


def test_new_readings_are_in_the_content_and_an_old_version_is_told_so(
    live: LivePage, client: Client, run: Run
) -> None:
    assert live.look()
    first = client.content()
    assert NOT_YET in first["head"]
    assert not live.look()  # nothing has changed
    assert client.get(f"/content.json?seen={first['version']}") == (204, b"")
    writer = ReadingsWriter(run)
    writer.add(1, {"loss/train": 4.0, "loss/test": 4.5})
    writer.flush()
    assert live.look()
    status, news = client.get(f"/content.json?seen={first['version']}")
    assert status == 200
    assert json.loads(news)["plots"][0]["data"][0]["name"] == "loss/train"
    assert NOT_YET not in json.loads(news)["head"]
    assert "Loss and accuracy" in json.loads(news)["nav"]


def test_the_shell_asks_the_server_alone(client: Client) -> None:
    status, shell = client.get("/")
    assert status == 200
    assert re.findall(r'(?:src|href)="(?!#|data:)([^"]+)"', shell.decode()) == ["plotly.js"]
    assert b"plotly.js v" in client.get("/plotly.js")[1]


@pytest.mark.parametrize("path", ["/x", "/../etc/passwd", "/content.json/x"])
def test_other_paths_are_not_there(client: Client, path: str) -> None:
    assert client.get(path)[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example:80"])
def test_a_page_of_somebody_else_gets_nothing(client: Client, host: str) -> None:
    assert client.get("/content.json", host)[0] == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::1]:8788"])
def test_this_machine_has_several_names_and_port_80_is_not_named(client: Client, host: str) -> None:
    assert client.get("/content.json", host)[0] == 200


def test_a_version_is_of_the_content_whichever_server_made_it(live: LivePage, run: Run) -> None:
    live.look()
    seen = live.version
    store_run(run.dir.parent, config_of(), grokking(400))
    later = LivePage(run.key, live.build, live.folders)
    later.look()
    assert later.version != seen
    live.look()
    assert live.version == later.version


def test_a_page_of_a_paper_follows_the_whole_store(tmp_path: Path) -> None:
    options, flags = parse([f"--runs_dir={tmp_path}"], "test")
    subject = subject_of(["inductive-bias"], flags, options)
    assert subject.folders() == []
    run = store_run(tmp_path, config_of(), grokking(400))
    assert subject.folders() == [run.dir]


def test_what_cannot_be_read_is_one_line_and_is_shown_once_it_can(
    live: LivePage, client: Client, run: Run
) -> None:
    config = run.dir / "config.yaml"
    text = config.read_text()
    config.write_text("optim: [")
    live.look()
    assert str(config) in client.content()["head"]
    config.write_text(text)
    store_run(run.dir.parent, config_of(), grokking(400))
    assert live.look()
    assert client.content()["plots"]


def test_nothing_is_written(live: LivePage, client: Client, run: Run) -> None:
    before = sorted(run.dir.rglob("*"))
    live.look()
    client.get("/")
    assert sorted(run.dir.rglob("*")) == before


def test_an_address_that_others_can_reach_and_a_port_in_use_are_one_line(
    live: LivePage, client: Client
) -> None:
    with pytest.raises(InputError, match="this machine only"):
        PageServer(live, "0.0.0.0", 0)
    with pytest.raises(InputError, match="try another --port"):
        PageServer(live, "127.0.0.1", int(client.address[1]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing_of_that_name"], "no run, sweep, experiment or paper"),
        (["-o", "x.html"], "writes nothing"),
        (["--every=0"], "must be above 0"),
        (["--host=0.0.0.0"], "this machine only"),
    ],
)
def test_what_cannot_be_watched_is_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = command(capsys, "watch", *words, f"--runs_dir={tmp_path}")
    assert done.code == 2
    assert said in done.err.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_watches_a_run_that_has_not_begun_until_a_signal(
    signum: int, code: int, tmp_path: Path
) -> None:
    words = ["watch", "weight_decay", *FLAGS, "--port=0", f"--runs_dir={tmp_path}"]
    main = "import sys; from grok.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", main, *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert re.search(r"on http://127\.0\.0\.1:\d+/ until Ctrl-C", line)
    process.send_signal(signum)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in rest
