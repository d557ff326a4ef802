"""``grok measure --series``: what it prints and writes, what it names, and what it refuses."""

import json
import random
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from grok.runs import RunStore
from tests.builders import tiny
from tests.hugging import STEPS, growing, initial, norm_of, save_t5, t5_series
from tests.running import Result, command

SERIES = ("measure", "--series")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series of T5 that grows as the root of the step, its folders made in a shuffled order."""
    steps = list(STEPS)
    random.Random(1).shuffle(steps)
    return t5_series(tmp_path_factory.mktemp("t5") / "series", growing, steps)


@pytest.fixture(autouse=True)
def in_a_place_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROK_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)


def as_json(result: Result) -> Any:
    assert result.code == 0, result.err
    return json.loads(result.out)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which a command is refused as unusable."""
    result = command(capsys, *arguments)
    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    return line.removeprefix("grok: ")


def test_the_json_has_the_curve_and_the_fits(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_json(command(capsys, *SERIES, str(folder), "--json"))
    assert found["steps"] == list(STEPS)
    assert found["revisions"] == [f"step_{step:06}" for step in STEPS]
    assert (found["layout"], found["problems"]) == ("t5", [])
    encoder, b = found["sets"]["encoder"], norm_of(initial())
    norms = [b + step**0.5 for step in STEPS]
    assert encoder["readings"]["norm/theta"] == pytest.approx(norms)
    assert encoder["readings"]["norm/delta"][0] is None
    assert encoder["law"]["affine"]["sqrt"]["r2"] == pytest.approx(1, abs=1e-12)
    assert encoder["law"]["square"]["slope"] > 0
    assert set(encoder["dynamics"]) == {"aligned", "misaligned", "constant", "measured"}
    assert found["sets"]["decoder"]["law"]["affine"]["sqrt"]["r2"] is None


def test_the_tables_show_the_encoder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = command(capsys, "measure", f"--series={folder}")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[1] == "layout    t5"
    assert lines[2] == "steps     0 to 700, 8 of them"
    assert lines[3].startswith("set       encoder, ")
    assert lines[3].endswith("δ is between checkpoints")
    assert "step_000700" in result.out
    assert "decoder.layer.1" in result.out
    assert "misaligned" in result.out


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_curve_is_written_as_a_table(
    ending: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"curve.{ending}"
    found = as_json(command(capsys, *SERIES, str(folder), "-o", str(file), "--json"))
    table = pl.read_csv(file) if ending == "csv" else pl.read_parquet(file)
    assert table["step"].to_list() == list(STEPS)
    for key, values in found["sets"]["encoder"]["readings"].items():
        column = table[f"{key}/encoder"].fill_nan(None).to_list()
        assert column == [x if x is None else pytest.approx(x) for x in values]


def test_some_steps_and_a_set_may_be_chosen(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--steps=0,300,700", r"--include=block\.1\.", "--layout=none", "--json")
    found = as_json(command(capsys, *SERIES, str(folder), *options))
    assert found["steps"] == [0, 300, 700]
    assert list(found["sets"]) == ["all", "chosen"]
    chosen = norm_of(initial(), lambda name: "block.1." in name)
    assert found["sets"]["chosen"]["readings"]["norm/theta"][0] == pytest.approx(chosen)
    missing = command(capsys, *SERIES, str(folder), "--steps=0,350,700", "--json")
    assert (missing.code, missing.err) == (1, "grok: step 350: is missing\n")
    assert json.loads(missing.out)["steps"] == [0, 700]


def test_a_look_at_some_steps_forgets_no_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = command(capsys, *SERIES, str(folder), "--json")
    as_json(command(capsys, *SERIES, str(folder), "--steps=0,700", "--json"))
    with patch("grok.offline.series.open_tensors", side_effect=AssertionError("all is stored")):
        assert command(capsys, *SERIES, str(folder), "--json") == whole


def test_a_pattern_says_where_the_step_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no name matches" in refusal(capsys, *SERIES, str(folder), r"--pattern=epoch(\d+)")
    options = (r"--pattern=_000(\d)00", "--json")
    found = as_json(command(capsys, *SERIES, str(folder), *options))
    assert found["steps"] == list(range(8))


def test_what_cannot_be_analysed_is_named_and_the_rest_is_analysed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hole at 500, two of step 300, and three checkpoints that are damaged, each in its way."""
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    for step in (800, 900, 1000, 1100, 1200):
        save_t5(broken / f"step_{step:06}", {n: growing(step, n, x) for n, x in initial().items()})
    shutil.rmtree(broken / "step_000500")
    shutil.copytree(broken / "step_000300", broken / "step_300")
    weights = broken / "step_000100" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    (broken / "step_000900" / "model.safetensors").unlink()
    save_t5(broken / "step_001000", {n: x for n, x in initial().items() if "wo" not in n})
    for _ in range(2):  # the second time from what is stored
        result = command(capsys, *SERIES, str(broken), "--json")
        assert result.code == 1
        assert sorted(result.err.splitlines()) == [
            "grok: step 500: is missing",
            "grok: step_000100: model.safetensors is a damaged safetensors file",
            "grok: step_000300: is one of 2 of step 300; none of them is analysed",
            "grok: step_000900: has no weights; allowed are model.safetensors, "
            "pytorch_model.bin or one file",
            "grok: step_001000: lacks 'decoder.block.0.layer.2.DenseReluDense.wo.weight', "
            "which others have",
            "grok: step_300: is one of 2 of step 300; none of them is analysed",
        ]
        found = json.loads(result.out)
        assert found["steps"] == [0, 200, 400, 600, 700, 800, 1100, 1200]
        assert len(found["problems"]) == 6
        law = found["sets"]["encoder"]["law"]
        assert law["affine"]["sqrt"]["r2"] == pytest.approx(1, abs=1e-12)


def test_a_series_none_of_which_can_be_read_is_unusable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "step_1.pt").write_text("no weights")
    line = refusal(capsys, *SERIES, "series")
    assert line.startswith("series has no checkpoint that can be read; step_1.pt step_1.pt is")


def test_the_rates_are_those_said_and_of_our_runs_those_of_the_config(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def kappa(where: str, *options: str) -> float:
        found = as_json(command(capsys, *SERIES, where, "--json", *options))
        return found["sets"]["encoder"]["dynamics"]["constant"]["kappa"]

    once = kappa(str(folder))
    assert kappa(str(folder), "--lr=0.5") == pytest.approx(2 * once)
    options = ("--lr=0.5", "--schedule=inverse_sqrt", "--flat_steps=700")
    assert kappa(str(folder), *options) == pytest.approx(2 * once)
    assert kappa(str(folder), *options[:2], "--flat_steps=10") > 2.1 * once
    run = RunStore(tmp_path).create(tiny())
    run.checkpoints_dir.mkdir()
    for step in (0, 10, 20):
        state = {"W_E": torch.ones(3, 2), "blocks.0.W_in": torch.full((2, 3), 1.0 + step)}
        save_file(state, run.checkpoints_dir / f"{step:09}.safetensors")
    of_run, lr = kappa(str(run.dir)), run.config.optim.lr
    assert of_run == pytest.approx(kappa(str(run.dir), f"--lr={lr}"))
    assert of_run == pytest.approx(kappa(str(run.dir), "--lr=1") / lr)
    assert of_run == kappa(run.key, f"--runs_dir={tmp_path}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent"], "absent is no folder; a series is one, or hf:OWNER/NAME of the hub"),
        (["FOLDER", "--steps=1,x"], "steps=x: expected whole numbers, such as 0,1000,2000"),
        (["FOLDER", "--pattern=step"], "pattern=step has 0 groups; allowed is 1, the step"),
        (["FOLDER", "--pattern=("], "pattern=( is no regular expression"),
        (["FOLDER", "--include=["], "include=[ is no regular expression"),
        (
            ["FOLDER", "--include=absent"],
            "has no checkpoint that can be read; step_000000 include=",
        ),
        (["FOLDER", "--layout=t6"], "layout=t6: allowed are auto, none, t5, gpt_neox, bert"),
        (["FOLDER", "--schedule=linear"], "horizon"),
        (["FOLDER", "--schedule=square"], "schedule"),
        (["FOLDER", "--lr=-1"], "lr"),
        (["FOLDER", "-o", "curve.xls"], "curve.xls: the name must end in .csv or .parquet"),
        (["FOLDER", "--what"], "unrecognized arguments: --what; see grok measure --series --help"),
        (["hf:owner/a_{step}_{step}"], "allowed is hf:OWNER/NAME with {step} once, and no pattern"),
        (["hf:a_{step}"], "allowed is hf:OWNER/NAME with {step} once, and no pattern"),
    ],
    ids=range(14),
)
def test_what_is_unusable_is_one_line(
    arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(folder) if each == "FOLDER" else each for each in arguments]
    assert message in refusal(capsys, *SERIES, *given)


def test_steps_beyond_all_updates_have_a_law_and_no_dynamics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where names count tokens."""
    for step in range(4):
        state = {"w": torch.full((2, 3), 1.0 + step)}
        save_file(state, tmp_path / f"step_{10**11 * step}.safetensors")
    found = as_json(command(capsys, *SERIES, str(tmp_path), "--json"))
    assert found["sets"]["all"]["law"]["affine"]["linear"]["r2"] == pytest.approx(1)
    assert found["sets"]["all"]["dynamics"] == {}
    assert "no model of the dynamics is fitted" in command(capsys, *SERIES, str(tmp_path)).out


def test_the_help_says_what_a_step_between_checkpoints_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="0"):
        command(capsys, *SERIES, "x", "--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "δ is the difference between neighbouring checkpoints, not a single update" in text
