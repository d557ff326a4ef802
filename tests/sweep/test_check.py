"""``grok sweep check``."""

import json
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
    "method": ("method: grid", "method: gird", "only grid"),
    "early": (
        "method: grid",
        "method: grid\nearly_terminate: {type: hyperband, min_iter: 3}",
        "--allow-early-termination",
    ),
    "cap": ("method: grid", "method: grid\nrun_cap: 0", "1 or more"),
    "schema": ("method: grid", "method: grid\nmetric: {goal: least, name: x}", "least"),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_one_line_that_says_what_to_write(
    trap: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, words = TRAPS[trap]
    if trap == "schema":
        pytest.importorskip("sweeps")
    assert _check(tmp_path, GOOD.replace(old, new)) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_runs_and_time_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _check(tmp_path, GOOD, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["sweeps"]
    assert row["runs"] == 2
    assert row["seconds"] > 0


def test_early_termination_passes_where_it_is_allowed(tmp_path: Path) -> None:
    text = f"early_terminate: {{type: hyperband, min_iter: 3}}\nrun_cap: 1\n{GOOD}"
    assert _check(tmp_path, text, "--allow-early-termination") == 0


def test_without_the_package_the_rest_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "find_spec", lambda name: None)
    assert _check(tmp_path, GOOD) == 0
    assert "pip install 'grokking-lab[sweeps]'" in capsys.readouterr().err
    assert _check(tmp_path, GOOD.replace("n_steps", "n_stesp")) == 2


def test_every_file_we_ship_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = sorted(str(path) for path in FOLDER.glob("*/*.yaml"))
    assert names
    code = main(["sweep", "check", *names, f"--runs_dir={tmp_path}", "--json"])
    rows = json.loads(capsys.readouterr().out)["sweeps"]
    assert [row for row in rows if "fault" in row] == []
    assert code == 0
    assert len(rows) == len(names)
