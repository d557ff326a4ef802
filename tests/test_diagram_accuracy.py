"""The accuracy that counts in a diagram is that at which its cells end, unless one is given."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from grok.cli import main
from grok.cli.diagram_plan import decided_percent
from grok.sweep import Outcome, SweepRun, read_sweep
from tests.sweep.toy_cells import stored, toy_sweep
from tests.toys import toy

AXES = {"toy.width": [8, 16], "optim.lr": [1e-3, 1e-2]}
WARNING = (
    "grok: cells end at stop.accuracy=0.6 and may stay undecided at 90 %; "
    "--stop.accuracy=0.9 trains them on"
)

Found = Callable[..., tuple[str, list[str]]]


@pytest.fixture
def found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Found:
    """Letters of a diagram of four cells that end at accuracy 0.6, and what is said of it."""

    def of(stop: dict[str, Any], *flags: str) -> tuple[str, list[str]]:
        file = toy_sweep(tmp_path, AXES, stop=stop)
        for cell in read_sweep(file).cells():
            accuracies = {"acc/train": {0: 0.0, 10: 0.6}, "acc/test": {0: 0.0, 20: 0.6}}
            stored(tmp_path / "runs", cell.config, accuracies, step=20)
        runs_dir = f"--runs_dir={tmp_path / 'runs'}"
        options = (runs_dir, "--tracking.mode=disabled", "--json", *flags)
        with patch("grok.cli.diagram.run_local", return_value=Outcome([], [], {}, [])):
            assert main(["diagram", file, *options]) == 0
        captured = capsys.readouterr()
        phases = "".join(cell["phase"][0] for cell in json.loads(captured.out)["cells"])
        return phases.upper(), captured.err.splitlines()[:-1]

    return of


def test_cells_that_end_when_decided_are_judged_by_what_ended_them(found: Found) -> None:
    assert found({"when": "decided", "accuracy": 0.6}) == ("CCCC", [])


def test_an_accuracy_above_that_of_the_stop_rule_is_warned_of(found: Found) -> None:
    for when in ("decided", "sustained"):
        assert found({"when": when, "accuracy": 0.6}, "--accuracy=90") == ("UUUU", [WARNING])
        assert found({"when": when, "accuracy": 0.6}, "--accuracy=60") == ("CCCC", [])
        assert found({"when": when, "accuracy": 0.6}, "--accuracy=50") == ("CCCC", [])


def test_without_a_stop_rule_it_is_ninety_percent(found: Found) -> None:
    assert found({"when": "never"}) == ("UUUU", [])
    # A rule about the test accuracy alone says nothing of the threshold.
    assert found({"when": "sustained", "accuracy": 0.999}) == ("UUUU", [])


@pytest.mark.parametrize(
    ("accuracy", "percent"), [(0.29, 29), (0.57, 57), (0.999, 99), (1.0, 100), (0.005, 1)]
)
def test_shares_become_whole_percent_that_the_cells_reach(accuracy: float, percent: int) -> None:
    stop = type(toy().stop)(when="decided", accuracy=accuracy)
    cells = [SweepRun({}, toy(stop=stop)), SweepRun({}, toy())]
    assert decided_percent(cells) == percent


@pytest.mark.parametrize(("accuracy", "n_lines"), [(90, 0), (80, 1)])
def test_a_published_diagram_of_another_accuracy_is_compared_with_a_remark(
    accuracy: int, n_lines: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--against=coarse", f"--accuracy={accuracy}", f"--runs_dir={tmp_path}", "--dry-run"]
    assert main(["diagram", "addition_regression_coarse", *options]) == 0
    expected = [
        "grok: against=coarse: its steps are those to 90 % accuracy, ours those to 80 %; "
        "--accuracy=90 compares like with like"
    ]
    assert capsys.readouterr().err.splitlines() == expected[:n_lines]
