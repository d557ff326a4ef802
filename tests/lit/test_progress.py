import io
import math
import re
from pathlib import Path

import pytest

from grok.lit.progress import ProgressLine
from grok.lit.status_line import duration
from grok.lit.train import train, train_stack
from grok.runs import ReadingsWriter, RunStore
from tests.running import run_config


class Terminal(io.StringIO):
    """A terminal that keeps what was printed; its width is unknown, so it counts as 80."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def writer(tmp_path: Path) -> ReadingsWriter:
    return ReadingsWriter(RunStore(tmp_path).create(run_config()))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0:00"),
        (59.4, "0:59"),
        (59.6, "1:00"),
        (3599.0, "59:59"),
        (3600.0, "1:00:00"),
        (90061.0, "25:01:01"),
        (math.inf, "?"),
        (math.nan, "?"),
    ],
)
def test_a_duration_reads_as_a_clock(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_line_shows_step_time_left_readings_and_speed(writer: ReadingsWriter) -> None:
    line = ProgressLine([writer], 10_000, "name")
    writer.add(25, {"loss/train": 1.23456, "acc/train": 0.5})
    writer.add(50, {"loss/train": 0.123456, "acc/train": 0.75})
    assert line.line(2_500, 100.0) == (
        "    2,500 / 10,000 ( 25%) | 5:00 left | train loss 0.123 acc 0.750 | 25.0 steps/s"
    )


def test_the_time_left_is_unknown_before_the_first_update(writer: ReadingsWriter) -> None:
    assert "| ? left |" in ProgressLine([writer], 100, "name").line(0, 0.0)


def test_a_live_line_never_wraps(writer: ReadingsWriter) -> None:
    for split in ("train", "test"):
        writer.add(0, {f"loss/{split}": 1.5e-7, f"acc/{split}": 0.5})
    terminal = Terminal()
    progress = ProgressLine([writer], 1_000_000, "name", terminal)
    progress.status.show(progress.line(123_456, 1e5))
    [start, shown] = terminal.getvalue().split("\r\x1b[2K")
    assert start == ""
    assert len(shown) == 79
    assert "left" in shown


def test_a_run_is_announced_and_nothing_goes_to_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(run_config(n_steps=3), tmp_path)
    captured = capsys.readouterr()
    assert captured.err == f"{run.key}: 3 steps, token form\n"
    assert captured.out == ""


def test_a_stack_is_announced_by_its_first_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = train_stack([run_config(n_steps=3, init_seed=seed) for seed in range(5)], tmp_path)
    assert capsys.readouterr().err == f"{runs[0].key} and 4 more: 3 steps, token form\n"


def test_lines_come_when_it_is_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(0, 10_000, 6))
    monkeypatch.setattr("grok.lit.progress.time.monotonic", lambda: float(next(ticks)))
    train(run_config(n_steps=6), tmp_path)
    lines = capsys.readouterr().err.splitlines()[1:]
    # One look every 6 seconds and a line every 10 at the earliest: every other update.
    steps = [int(line.split("/")[0]) for line in lines]
    assert len(steps) >= 2
    assert steps == sorted(set(steps))
    assert all(re.search(r"train loss \S+ acc \S+ \| test loss", line) for line in lines)
