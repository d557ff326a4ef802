"""What happened in a run, told from its readings."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from grok.config import RunConfig
from grok.report.terminal import print_summary
from grok.runs import ReadingsWriter, Run, RunStore, write_status
from grok.runs.summary import summary


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return RunStore(tmp_path).create(RunConfig())


def read(run: Run, key: str, values: Sequence[float]) -> None:
    """Stores readings of every 25 steps."""
    writer = ReadingsWriter(run)
    for i, value in enumerate(values):
        writer.add(25 * i, {key: value})
    writer.flush()
    write_status(run, status="completed", step=25 * (len(values) - 1))


def test_slingshots_are_those_of_the_test_loss(run: Run) -> None:
    read(run, "loss/test", [4.0, 0.1, 0.7, 0.05, 0.05, 0.9])
    assert summary(run)["slingshots"] == {
        "number": 2,
        "starts": (50, 125),
        "share_above": 0.5,
        "longest_quiet": 50,
    }


def test_without_a_test_loss_there_is_nothing_to_say_of_slingshots(run: Run) -> None:
    read(run, "loss/train", [4.0, 0.1, 0.7])
    assert summary(run)["slingshots"] is None


def test_the_terminal_names_slingshots_only_if_there_were_any(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    read(run, "loss/test", [4.0, 0.1])
    print_summary(summary(run))
    assert "slingshot" not in capsys.readouterr().out
    read(run, "loss/test", [4.0, 0.1, *[0.7, 0.05] * 2])
    print_summary(summary(run))
    [line] = [line for line in capsys.readouterr().out.splitlines() if "slingshot" in line]
    assert line.split("  ")[-1] == "2, the first at step 50"


def test_phases_end_where_the_readings_of_hindsight_say(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    read(run, "loss/test", [4.8, 20.0, 25.0, 10.0, 3.0, 0.1, 0.0])
    read(run, "norm/squared", [9.0, 18.0, 17.0, 16.0, 14.0, 6.0, 5.9])
    assert summary(run)["phases"] is None
    read(run, "hindsight/excluded/sum/train", [4.8, 1.0, 0.3, 2.0, 9.0, 7.0, 6.0])
    assert summary(run)["phases"] == {"t_mem": 50, "t_form": 100, "t_clean": 125}
    print_summary(summary(run))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[-1].strip() for line in lines if line.startswith("end of")] == [
        "step 50",
        "step 100",
        "step 125",
    ]
