"""A table of many runs as one W&B run."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from grok.config import TrackingConfig
from grok.tracking import log_table
from tests.tracking.test_tracking import inspect, said

OFFLINE = TrackingConfig(mode="offline", project="tests", group="a group", tags=("one",))
ROWS = [{"cell": "a", "T_tr": 10, "rqi": None}, {"cell": "b", "T_tr": -1, "rqi": 0.5}]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_SILENT", "true")


def log(folder: Path, tracking: TrackingConfig, **options: Any) -> str | None:
    given: dict[str, Any] = {"config": {"x": "optim.lr"}, "summary": {"phase/grokking": 3}}
    return log_table("paper/sweep", folder, tracking, ROWS, **(given | options))


def test_disabled_tracking_keeps_no_table(tmp_path: Path) -> None:
    assert log(tmp_path, TrackingConfig(mode="disabled")) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_offline_table_is_in_its_file_whole_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    where = log(tmp_path, OFFLINE)
    assert capfd.readouterr() == ("", "")
    assert said(caplog) == []
    assert where is not None
    assert Path(where).parent == tmp_path / "wandb"
    (path,) = Path(where).glob("*.wandb")
    found = json.loads(inspect(path, "--summary"))
    assert (found["run_id"], found["name"]) == ("table-paper-sweep", "paper/sweep")
    assert (found["project"], found["tags"], found["exit_code"]) == ("tests", ["one"], 0)
    assert found["config"] == {"x": "optim.lr"}
    assert found["summary"]["phase/grokking"] == 3
    (table,) = Path(where).rglob("*.table.json")
    assert json.loads(table.read_text()) == {
        "columns": ["cell", "T_tr", "rqi"],
        "data": [["a", 10, None], ["b", -1, 0.5]],
    }


@pytest.mark.slow
def test_what_wandb_cannot_take_is_one_line_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert log(tmp_path, OFFLINE, image=tmp_path / "absent.png") is None
    (line,) = said(caplog)
    assert line.startswith("W&B has not taken the table; its files have it all: ")
    assert "absent.png" in line


def test_a_start_that_fails_is_one_line_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no service\nand more")

    monkeypatch.setattr("grok.tracking.table._init", broken)
    assert log(tmp_path, OFFLINE) is None
    assert said(caplog) == ["W&B has not taken the table; its files have it all: no service"]
