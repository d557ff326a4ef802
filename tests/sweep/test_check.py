"""``grok sweep check``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grok.cli import main
from grok.sweep import check

FOLDER = Path(__file__).parents[2] / "sweeps"
GOOD = """\
method: grid
command: ["${env}", grok, train, inductive_bias/layernorm, "${args}"]
parameters:
  n_steps: {value: 3}
  seed: {values: [0, 1]}
"""


def _check(tmp_path: Path, text: str, *options: str) -> int:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return main(["sweep", "check", str(path), f"--runs_dir={tmp_path}", *options])


TRAPS = {
    "numeric text": ("{value: 3}", "{value: 3}\n  optim.lr: {values: [1e-3]}", "write 0.001"),
    "null": ("{value: 3}", "{value: null}", "leave the parameter out"),
    "yes": ("{value: 3}", "{value: 3}\n  optim.lr_rule: {values: [off]}", "put it in quotes"),
    "quoted": (
        "{value: 3}",
        '{value: 3}\n  measures.kernel.enabled: {value: "true"}',
        "write true without quotes",
    ),
    "key": ("method: grid", "metirc: {name: x}\nmethod: grid", "allowed: name, "),
    "field": ("n_steps", "n_stesp", "n_steps"),
    "args": (', "${args}"', "", "must have ${args} once"),
    "off": ("{value: 3}", "{value: 3}\n  model.norm: {values: [off]}", 'for nothing write "none"'),
    "twice": ("{value: 3}", "{value: 3}\n  n_steps: {value: 4}", "n_steps is written twice"),
    "method": ("method: grid", "method: gird", "allowed are grid, random, bayes"),
    "metric": ("method: grid", "method: grid\nmetric: {name: los/test}", "near it: loss/test"),
    "summary": ("method: grid", "method: grid\nmetric: {name: onset/x}", "in a run's summary"),
    "bayes": ("method: grid", "method: bayes", "bayes needs metric: {name: loss/test"),
    "bound": (
        "method: grid",
        "run_cap: 9\nmethod: random",
        "optim.lr=-1.0",
        "\n  optim.lr: {min: -1.0, max: 1.0}",
    ),
    "early": (
        "method: grid",
        "method: grid\nearly_terminate: {type: hyperband, min_iter: 3}\nmetric: {name: acc/test}",
        "--allow-early-termination",
    ),
    "cap": ("method: grid", "method: grid\nrun_cap: 0", "1 or more"),
    "goal": ("method: grid", "method: grid\nmetric: {goal: least, name: x}", "minimize"),
    "schema": ("method: grid", "method: grid\nname: 3", "W&B would refuse this"),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_one_line_that_says_what_to_write(
    trap: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, words, *more = TRAPS[trap]
    assert _check(tmp_path, "".join([GOOD.replace(old, new), *more])) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_runs_and_time_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _check(tmp_path, GOOD, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["sweeps"]
    assert row["runs"] == 2
    assert row["seconds"] > 0


EARLY = "early_terminate: {type: hyperband, min_iter: 3}\n"


@pytest.mark.parametrize(
    ("metric", "options"), [("loss/train", []), ("loss/test", ["--allow-early-termination"])]
)
def test_early_termination_passes_with_a_note_on_what_it_counts(
    metric: str, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _check(tmp_path, f"{EARLY}metric: {{name: {metric}}}\n{GOOD}", *options) == 0
    assert "counts logged values of the metric, not steps" in capsys.readouterr().out


def test_cells_that_are_one_run_are_counted_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    norms = '  model.norm: {values: ["none", "off"]}\n'
    assert _check(tmp_path, GOOD + norms) == 0
    assert "4 cells, 2 runs, about" in capsys.readouterr().out
    assert _check(tmp_path, f"run_cap: 1\n{GOOD}") == 0
    assert ": 1 runs" in capsys.readouterr().out


SEARCH = GOOD.replace("grid", "random") + "  optim.lr: {min: 0.001, max: 0.1}\n"


def test_a_search_has_as_many_runs_as_its_cap_or_no_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _check(tmp_path, SEARCH, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["sweeps"]
    assert (row["runs"], row["seconds"]) == (None, None)
    assert "--count" in row["notes"][0]
    assert _check(tmp_path, f"run_cap: 7\n{SEARCH}") == 0
    assert "random, 7 runs, about" in capsys.readouterr().out


def test_without_the_package_the_rest_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "find_spec", lambda name: None)
    assert _check(tmp_path, GOOD) == 0
    assert "pip install 'grokking-lab[sweeps]'" in capsys.readouterr().err
    assert _check(tmp_path, GOOD.replace("n_steps", "n_stesp")) == 2


@pytest.mark.slow  # 4,000 cells
@pytest.mark.slow
def test_every_file_we_ship_passes(tmp_path: Path) -> None:
    names = sorted(str(path) for path in FOLDER.glob("*/*.yaml"))
    assert names
    # In a process of its own, where no check of types makes every value cost four times as much.
    code = "import sys; from grok.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["sweep", "check", *names, f"--runs_dir={tmp_path}", "--json"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    rows = json.loads(done.stdout)["sweeps"]
    assert [row for row in rows if "fault" in row] == []
    assert done.returncode == 0
    assert len(rows) == len(names)
