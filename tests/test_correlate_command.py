"""``grok correlate`` as a user sees it; what is stored was not trained but written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grok.sweep import read_sweep
from tests.running import Result, command
from tests.sweep.toy_cells import passing, stored, toy_sweep

LAST = 400
Correlate = Callable[..., Result]


@pytest.fixture
def correlate(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Correlate:
    """Runs the command on two rates with three seeds each, the run store ``runs``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GROK_RUNS", raising=False)
    toy_sweep(tmp_path, {"optim.lr": [1e-3, 1e-2], "seed": [0, 1, 2]}, home)

    def of(*arguments: str) -> Result:
        return command(capsys, "correlate", "grid.yaml", *arguments)

    return of


def store(onsets: list[int], readings: list[dict[str, float]], **status: Any) -> None:
    """The six runs, with their onsets, -1 for never, and what was read of each at step 100."""
    for run, onset, values in zip(read_sweep("grid.yaml").runs(), onsets, readings, strict=True):
        series = passing(10, onset, LAST) | {key: {100: x} for key, x in values.items()}
        stored(Path("runs"), run.config, series, **status)


ONSETS = [110, 120, 130, 210, 220, -1]
READ = [
    {
        "repr/rqi": float(x),  # the order of the onsets
        "norm/theta/all": float(x // 3 * 10 - x % 3),  # of the rates, and against it inside them
        "repr/acc": 0.5,  # the same everywhere
        "attn/entropy/0/1": float(x),  # of a head, which has no counterpart in another run
    }
    for x in range(6)
]


def test_keys_are_ranked_by_how_they_tell_the_onset(correlate: Correlate) -> None:
    store(ONSETS, READ)
    code, out, _ = correlate("--at=100", "--json")
    found = json.loads(out)
    assert code == 0
    assert [row["key"] for row in found["keys"]] == ["repr/rqi", "norm/theta/all"]
    best, second = found["keys"]
    assert (best["rho"], best["within"]) == (pytest.approx(1), pytest.approx(1))
    assert second["rho"] == pytest.approx(19 / 35)  # 1 - 6 * (4 + 0 + 4) * 2 / (6 * 35)
    assert second["within"] == pytest.approx(-1)
    assert (found["n_runs"], found["n_censored"], found["n_before"]) == (6, 1, 0)


def test_a_page_has_the_table_and_says_what_chance_shows(correlate: Correlate) -> None:
    store(ONSETS, READ)
    code, out, _ = correlate("--at=100", "--markdown", "--keys=repr/*,norm/*", "--top=1")
    assert code == 0
    assert "| `repr/rqi` | repr | +1.00 |" in out
    assert "norm/theta/all" not in out
    assert "6 runs, readings at step 100, onset/test_acc_99: it never came in 1" in out
    assert "By chance the largest of 2 stays below" in out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--at=7"], "nothing was read at step 7 in all 6 runs"),
        (["--at=100", "--onset=test_acc_98"], "no onset 'test_acc_98'; there are: train_acc_99"),
        (["--at=-1"], "at=-1"),
        (["--at=100", "--seeds=0"], "2 runs: 3 or more are needed"),
        (["--at=100", "--nonsense=1"], "nonsense"),
    ],
)
def test_what_cannot_be_answered_is_one_line(
    arguments: list[str], parts: str, correlate: Correlate
) -> None:
    store(ONSETS, READ)
    code, out, err = correlate(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert parts in err


def test_runs_that_have_not_ended_or_ended_too_soon_are_named(correlate: Correlate) -> None:
    code, _, err = correlate("--at=100")
    assert code == 2
    assert "6 of 6 runs have not ended" in err
    store(ONSETS, READ, step=200)
    code, _, err = correlate("--at=100")
    assert code == 2
    assert "ended at step 200 without the onset, which another has at 220" in err


def test_a_diverged_run_ranks_last(correlate: Correlate) -> None:
    store(ONSETS, READ, step=200, status="diverged")
    code, out, _ = correlate("--at=100", "--json")
    assert code == 0
    assert json.loads(out)["n_censored"] == 1
