"""A page in a real browser while its runs go on."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from grok.cli.pages import subject_of
from grok.cli.report import parse
from grok.report.live import LivePage, PageServer
from tests.browser.conftest import Tab
from tests.report.stores import config_of, grokking, store_run
from tests.running import FLAGS

pytestmark = pytest.mark.slow


def _store(store: Path, decay: str, n_steps: int) -> None:
    """Two runs that have come so far."""
    for seed in range(2):
        config = config_of(f"--optim.weight_decay={decay}", f"--seed={seed}")
        store_run(
            store, config, grokking(200 + 100 * seed, n_steps), status="running", step=n_steps
        )


@pytest.fixture
def live(tmp_path: Path) -> LivePage:
    """Two runs of one group."""
    _store(tmp_path, "0.1", 250)
    options, flags = parse([f"--runs_dir={tmp_path}"], "test")
    subject = subject_of(options.what, flags, options)
    live = LivePage(subject.name, subject.build, subject.folders)
    assert live.look()
    return live


@pytest.fixture
def address(live: LivePage) -> Iterator[str]:
    server = PageServer(live, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.url
    server.shutdown()
    server.server_close()
    thread.join()


def _await_news(tab: Tab, live: LivePage) -> None:
    """Until the page has what the server has."""
    assert live.look()
    tab.page.wait_for_function(
        "(version) => document.body.dataset.version === version", arg=str(live.version)
    )


def test_news_leave_what_the_reader_has_done(
    live: LivePage, address: str, tab: Tab, tmp_path: Path
) -> None:
    tab.open(address)
    tab.page.wait_for_function("document.body.dataset.version !== undefined")
    tab.draw_all()
    tab.run("Plotly.relayout('plot-group-0', { 'xaxis.range': [1, 2] })")
    tab.page.select_option("select[name=y]", "loss/test")
    tab.page.locator("select[name=y]").focus()
    cells = "[...document.querySelectorAll('#groups td')].map((cell) => cell.textContent)"
    before = tab.run(cells)

    def kept() -> tuple[list[float], str]:
        zoom = "document.getElementById('plot-group-0')._fullLayout.xaxis.range"
        title = "document.getElementById('plot-against')._fullLayout.yaxis.title.text"
        return tab.run(zoom), tab.run(title)

    _store(tmp_path, "0.1", 900)
    _await_news(tab, live)
    after = tab.run(cells)
    assert after != before
    expect(tab.page.locator("select[name=y]")).to_be_focused()
    assert kept() == ([1, 2], "loss/test")
    _store(tmp_path, "1.0", 900)
    _await_news(tab, live)
    assert tab.run(cells) != after
    assert tab.page.locator(".plot[id^=plot-group-]").count() == 2
    assert kept() == ([1, 2], "loss/test")
    tab.draw_all()
    assert tab.said == []


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """``grok watch`` of a run that has not begun: its address, and the store."""
    words = ["watch", "weight_decay", *FLAGS, "--port=0", "--every=0.2", f"--runs_dir={tmp_path}"]
    code = "import sys; from grok.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stderr is not None
    found = re.search(r"http://\S+", process.stderr.readline())
    assert found is not None
    yield found[0], tmp_path
    process.terminate()
    process.communicate(timeout=60)


def test_a_watched_run_shows_new_readings_while_it_trains(
    process: tuple[str, Path], tab: Tab
) -> None:
    address, store = process
    tab.open(address)
    expect(tab.page.locator("#head .warning").first).to_be_visible()
    words = ["train", "weight_decay", *FLAGS, "--n_steps=100000", "--no-report"]
    code = "import sys; from grok.cli import main; sys.exit(main(sys.argv[1:]))"
    training = subprocess.Popen(
        [sys.executable, "-c", code, *words, f"--runs_dir={store}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        last = "document.getElementById('plot-loss')?._fullData?.[0]?.x?.at(-1) ?? 0"
        tab.page.wait_for_function(f"({last}) > 0", timeout=90_000)
        first = tab.run(last)
        tab.page.wait_for_function(f"({last}) > {first}", timeout=90_000)
    finally:
        training.terminate()
        training.wait(timeout=60)
    expect(tab.page.locator(".status")).to_have_text("interrupted", timeout=30_000)
    assert all(url.startswith(address) or url.startswith("data:") for url in tab.asked)
    assert tab.said == []
    tab.picture("watch")
