"""Language models from a config to readings: what a run is called, interrupted, goes without."""

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grok.cli import main
from grok.config import RunConfig, Schedule, from_dict, load_run, run_key, to_dict
from grok.data.text_config import SMALL_SHA256
from grok.lit.signals import Interrupted
from grok.lit.train import train
from grok.runs import summary
from grok.training.dynamics import PREFIX
from tests.builders import changed
from tests.running import assert_same, checkpoints, measures, signal_at
from tests.texts import language_run, text_folder

SMALL = """
problem: language
text: {vocab: 8, length: 5, batch_size: 2, n_read: 4}
model: {n_layers: 1, d_model: 8, n_heads: 2, d_mlp: 12, causal: true, init: torch}
n_steps: 20
tracking: {mode: disabled}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return text_folder(tmp_path / "text")


def run(folder: Path, **fields: Any) -> RunConfig:
    due = Schedule(every=10)
    read = measures(task=due, norm=due, attention=due, compress=due)
    return language_run(folder, dtype="float32", n_steps=60, measures=read, **fields)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["stream", "paragraph"])
def test_an_interrupted_run_is_an_uninterrupted_one(
    folder: Path, tmp_path: Path, mode: str
) -> None:
    config = run(folder, mode=mode, length=8, dropout=0.1)
    whole = train(config, tmp_path / "whole", progress=False)
    with pytest.raises(Interrupted), signal_at(33, signal.SIGTERM):
        train(config, tmp_path / "cut", progress=False)
    resumed = train(config, tmp_path / "cut", progress=False)
    assert_same(whole, resumed)
    again = train(config, tmp_path / "again", progress=False)
    assert_same(whole, again)
    readings = whole.readings()
    assert readings["step"].to_list() == [0, 10, 20, 30, 40, 50, 60]
    assert readings["loss/unigram/test"].n_unique() == 1


@pytest.mark.slow
def test_more_steps_go_on_and_an_absent_reading_is_added(folder: Path, tmp_path: Path) -> None:
    rate: dict[str, Any] = {"kind": "adafactor", "schedule": "cosine", "horizon": 40}
    config = run(folder, lr=1e-2, weight_decay=0.1, **rate)
    whole = train(config, tmp_path / "whole", progress=False)
    train(
        replace(config, n_steps=20, measures=measures(norm=None)), tmp_path / "cut", progress=False
    )
    longer = train(config, tmp_path / "cut", progress=False)
    assert whole.key == longer.key
    names = ["loss/test", "norm/theta/all"]
    at = [0, 20, 60]
    ours, theirs = (x.readings().filter(x.readings()["step"].is_in(at)) for x in (whole, longer))
    assert ours.select("step", *names).equals(theirs.select("step", *names))


def test_norm_dynamics_change_no_bit_of_a_language_model_and_are_fitted(
    folder: Path, tmp_path: Path
) -> None:
    due, others = Schedule(every=5), dict.fromkeys(("attention", "compress"))
    config = replace(run(folder, dropout=0.1), n_steps=10, measures=measures(norm=due, **others))
    summed = replace(config, measures=measures(task=due, norm=due, dynamics=due, **others))
    plain, read = (
        train(c, tmp_path / str(i), progress=False) for i, c in enumerate((config, summed))
    )
    assert plain.key == read.key
    [without], [whole] = (checkpoints(each).values() for each in (plain, read))
    assert without == {name: x for name, x in whole.items() if not name.startswith(PREFIX)}
    readings = read.readings()
    assert readings["norm/cum_delta_sq/encoder"].drop_nulls().is_sorted()
    assert (readings["norm/identity_residual/all"].drop_nulls() < 1e-6).all()
    assert readings["margin/surplus/test"].drop_nulls().len() == 3
    fits = read.status()["growth"]
    assert fits["fit/encoder/r2_measured"] == summary(read)["growth"]["fit/encoder/r2_measured"]
    assert plain.status()["growth"] == {}


def test_a_key_says_what_trains_and_knows_the_text_but_not_where_it_lies(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL, encoding="utf-8")
    monkeypatch.delenv("GROK_DATA", raising=False)
    absent = load_run(path)
    assert run_key(absent) == "wikitext2_small-none-s0-6cf147c141"
    published = changed(absent, text=replace(absent.text, sha256=SMALL_SHA256, train_on="valid"))
    assert run_key(published) == run_key(absent)
    here = load_run(path, [f"--text.directory={folder}"])
    assert run_key(here).startswith("text_valid-none-s0-")
    assert here.text.train_on == "valid"
    text_folder(tmp_path / "root" / "wikitext-2")
    monkeypatch.setenv("GROK_DATA", str(tmp_path / "root"))
    assert run_key(load_run(path)) == run_key(here)
    # The file is looked at whenever a run is named.
    text_folder(tmp_path / "root" / "wikitext-2", train="another text\n")
    assert run_key(load_run(path)).startswith("text_train-none-s0-")
    assert run_key(from_dict(to_dict(here))) == run_key(here)


OTHER = {
    "text.mode": "paragraph",
    "text.vocab": 9,
    "text.length": 6,
    "text.batch_size": 1,
    "text.n_read": 5,
    "text.sha256": "0" * 64,
    "text.train_on": "train",
    "model.positions": "none",
    "model.init": "lecun",
    "data.order_seed": 1,
}


@pytest.mark.parametrize("path", OTHER)
def test_what_changes_a_number_is_in_the_key(folder: Path, path: str) -> None:
    config = language_run(folder)
    section, name = path.split(".")
    values = to_dict(config)
    values[section][name] = OTHER[path]
    assert run_key(from_dict(values)) != run_key(config)
    values = to_dict(config)
    values["data"]["split_seed"] = 7
    values["text"]["directory"] = "elsewhere"
    assert run_key(from_dict(values)) == run_key(config)


REFUSED = {
    "--model.causal=false": "model.causal=false: problem=language predicts tokens from those ",
    "--optim.loss=mse": "optim.loss=mse: problem=language needs cross_entropy",
    "--data.p=7": "data.p=7 has no effect with problem=language; allowed are data.split_seed and "
    "data.order_seed, and the fields of text",
    "--data.batch_size=7": "data.batch_size=7 has no effect with problem=language",
    "--measures.progress.enabled=true": "measures.progress.enabled=true needs pairs (a, b)",
    "--problem=pairs --model.positions=none": "model.positions=none: problem=pairs needs learned",
}


@pytest.mark.parametrize("flags", REFUSED)
def test_what_has_no_effect_on_a_text_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: str
) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL, encoding="utf-8")
    assert main(["train", str(path), *flags.split()]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert REFUSED[flags] in line


def test_without_the_text_a_run_says_what_is_needed_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GROK_DATA", raising=False)
    path = tmp_path / "small.yaml"
    path.write_text(SMALL, encoding="utf-8")
    assert main(["train", str(path), f"--runs_dir={tmp_path / 'runs'}"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "text.directory is empty and GROK_DATA is not set: name the folder of the text" in line


@pytest.mark.slow
def test_a_stored_language_model_is_measured_from_its_checkpoint(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = train(run(folder), tmp_path / "runs", progress=False)
    [checkpoint] = (done.dir / "checkpoints").glob("*.safetensors")
    assert main(["measure", str(checkpoint), "--json"]) == 0
    printed = capsys.readouterr().out
    last = done.readings().row(-1, named=True)
    assert json.dumps(last["loss/test"])[:12] in printed
