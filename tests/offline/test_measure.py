"""``grok measure`` and ``grok convert`` on networks whose circuit is known, in every layout."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from grok.cli import main
from grok.config import CheckpointConfig, RunConfig, Schedule
from grok.data.pairs import split_rows
from grok.formats import FORMATS, Published, write_checkpoint
from grok.lit.train import train
from grok.report.terminal import print_summary
from grok.runs import summary
from tests.builders import tiny
from tests.fourier_network import fourier_config, fourier_parameters
from tests.running import measures, on_sequences

ALPHA = {3: 7.0, 4: 6.0, 5: 5.0}
SUFFIX = {"grok": ".safetensors"}


def published(p: int, alpha: dict[int, float] = ALPHA, step: int | None = None) -> Published:
    weights = {k: x.float() for k, x in fourier_parameters(p, alpha).items()}
    return Published("grok", fourier_config(p, len(alpha)), p, weights, step)


def loss_of(p: int, alpha: dict[int, float]) -> float:
    d = torch.arange(p, dtype=torch.float64)
    logits = sum((c * torch.cos(2 * math.pi * k * d / p) for k, c in alpha.items()), start=0 * d)
    return float(logits.logsumexp(0) - logits[0])


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["measure", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("p", [10, 11])
def test_the_circuit_is_found_in_every_layout(
    p: int, layout: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Written, converted to every other layout in turn, and read."""
    file = tmp_path / f"0{SUFFIX.get(layout, '.pt')}"
    write_checkpoint(file, published(p), layout)
    found = run(capsys, str(file), "--train_fraction=0.4", "--act=relu", "--causal", "--n_heads=1")
    assert found["format"] == layout
    assert found["data"]["p"] == p
    assert found["model"]["act"] == "relu"
    readings = found["readings"]
    assert readings["progress/keys"] == list(ALPHA)
    whole = loss_of(p, ALPHA)
    for split in ("train", "test", "all"):
        assert readings[f"loss/{split}"] == pytest.approx(whole, rel=1e-4, abs=1e-9) or (
            split != "all"  # with the class of "=", whose logit is 0
        )
        for variant in ("sum", "block2x2", "block3x3", "cube", "mlp"):
            excluded = readings[f"progress/excluded/{variant}/{split}"]
            assert excluded == pytest.approx(math.log(p), rel=1e-4)
            restricted = readings[f"progress/restricted/{variant}/{split}"]
            assert restricted == pytest.approx(whole, rel=1e-4, abs=1e-9)
    for k in range(1, p // 2 + 1):
        assert readings[f"progress/alpha/{k}"] == pytest.approx(ALPHA.get(k, 0), abs=1e-4)
    assert readings["progress/fve/raw"] == pytest.approx(1, rel=1e-5)
    assert readings["progress/fve/row_centred"] == pytest.approx(1, rel=1e-5)
    assert readings["acc/train"] == readings["acc/test"] == 1


@pytest.mark.parametrize("to", ["grok", "transformer_lens"])
def test_a_converted_checkpoint_has_the_same_readings(
    to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "a.pt", tmp_path / "b.safetensors"
    write_checkpoint(first, published(11), "progress_measures")
    assert main(["convert", str(first), "-o", str(second), f"--to={to}"]) == 0
    capsys.readouterr()
    before = run(capsys, str(first), "--train_fraction=0.4")["readings"]
    after = run(capsys, str(second), "--train_fraction=0.4")["readings"]
    assert before == after


def test_without_a_split_nothing_is_said_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.pt"
    write_checkpoint(file, published(11), "progress_measures")
    found = run(capsys, str(file))
    assert "train_fraction" not in found["data"]
    assert found["readings"]["progress/restricted/sum/all"] < 1
    words = [word for key in found["readings"] for word in key.split("/")]
    assert not [word for word in words if word.startswith(("train", "test"))]
    assert not [key for key in found["readings"] if "norm/grad" in key or "excluded_max" in key]
    assert main(["measure", str(file)]) == 0
    assert "the split of the pairs is not known" in capsys.readouterr().err


def with_losses(file: Path, rows: tuple[Tensor, Tensor]) -> None:
    """A released file whose network is right on the training pairs alone, and its losses."""
    weights = published(11)
    generator = torch.Generator().manual_seed(0)
    noisy = {
        name: x + 0.3 * torch.randn(x.shape, generator=generator)
        for name, x in weights.parameters.items()
    }
    write_checkpoint(file, weights._replace(parameters=noisy), "progress_measures")
    from grok.offline import DataOptions, ModelOptions, sources
    from grok.offline.split import _losses

    (source,) = sources([str(file)])
    losses = _losses(source.load(DataOptions(), ModelOptions()))
    curves = {
        f"{name}_losses": [4.7, float(losses[r].mean())]
        for name, r in zip(("train", "test"), rows, strict=True)
    }
    state = torch.load(file, weights_only=True)
    torch.save({"model": state, **curves}, file)


@pytest.mark.parametrize(
    ("rule", "fraction", "seed"), [("python_shuffle", 0.3, 0), ("torch_randperm", 0.4, 598)]
)
def test_the_split_is_told_by_the_stored_losses(
    rule: Any,
    fraction: float,
    seed: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, rows = tmp_path / "model.pt", split_rows(rule, 121, fraction, seed)
    with_losses(file, rows)
    data = run(capsys, str(file))["data"]
    found = split_rows(data["split"], 121, data["train_fraction"], data["split_seed"])
    assert torch.equal(found[0].sort().values, rows[0].sort().values)


def test_losses_that_no_split_has_tell_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.pt"
    write_checkpoint(file, published(11), "progress_measures")
    state = torch.load(file, weights_only=True)
    torch.save({"model": state, "train_losses": [3.0], "test_losses": [2.0]}, file)
    assert "train_fraction" not in run(capsys, str(file))["data"]


def test_a_folder_is_a_curve_under_the_keys_of_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for step, alpha in ((900, {3: 7.0}), (1000, {3: 7.0, 4: 6.0}), (200, {2: 5.0})):
        write_checkpoint(tmp_path / f"{step}.safetensors", published(11, alpha, step), "grok")
    found = run(capsys, str(tmp_path), "--train_fraction=0.4")
    assert [each["step"] for each in found] == [200, 900, 1000]
    assert [each["readings"]["progress/keys"] for each in found] == [[3, 4]] * 3
    each = run(capsys, str(tmp_path), "--keys=each")
    assert [one["readings"]["progress/keys"] for one in each] == [[2], [3], [3, 4]]
    fixed = run(capsys, str(tmp_path), "--keys=4")
    assert [one["readings"]["progress/keys"] for one in fixed] == [[4]] * 3
    assert main(["measure", str(tmp_path)]) == 0
    assert "restricted" in capsys.readouterr().out


def test_a_run_of_ours_is_measured_as_it_was_live(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    due = measures(norm=Schedule(every=20))
    stored = train(tiny(n_steps=20, measures=due), tmp_path, progress=False)
    capsys.readouterr()
    live = stored.final()
    for name in (str(stored.dir), stored.key):
        found = run(capsys, name, f"--runs_dir={tmp_path}")
        assert found["step"] == 20
        for key in ("loss/train", "loss/test", "acc/test", "norm/theta/all", "norm/change"):
            assert found["readings"][key] == live[key], key


@pytest.mark.parametrize("problem", ["digit_addition", "skip_trigram"])
def test_a_run_on_sequences_is_measured_as_it_was_live(
    problem: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = train(on_sequences(problem, n_steps=200), tmp_path, progress=False)
    capsys.readouterr()
    found = run(capsys, str(stored.dir))
    assert found["data"]["problem"] == problem
    live, readings = stored.final(), found["readings"]
    assert len(live) > 40
    for key, value in live.items():
        if not key.startswith("norm/delta/"):
            assert readings[key] == pytest.approx(value, rel=1e-6), key
    assert not any(key.startswith(("fourier", "shortcut", "progress")) for key in readings)


def test_what_a_run_on_sequences_has_not_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = train(on_sequences("skip_trigram", n_steps=2), tmp_path, progress=False)
    [file] = stored.checkpoints_dir.glob("*.safetensors")
    for arguments, message in (
        (["measure", str(file), "--families=task,fourier"], "family fourier cannot be read on "),
        (["convert", str(file), "-o", "x", "--to=grok"], "grok convert takes networks on pairs"),
    ):
        capsys.readouterr()
        assert main(arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line


def of_s3(**fields: Any) -> RunConfig:
    """Twenty updates on S3 with three checkpoints, irreps read at each."""
    every = measures(irrep=Schedule(every=10))
    of: dict[str, Any] = {"operation": "compose", "group": "S3", "p": 113, "n_steps": 20}
    kept = CheckpointConfig(every=10)
    return tiny(**({**of, "measures": every, "checkpoint": kept} | fields))


def test_irreps_of_a_run_are_read_live_and_from_its_checkpoints_alike(tmp_path: Path) -> None:
    live = train(of_s3(), tmp_path / "live", progress=False)
    late = train(of_s3(measures=measures(irrep=None)), tmp_path / "late", progress=False)
    assert not any(key.startswith("irrep/") for key in late.final())
    with patch("grok.lit.replay.replay", side_effect=AssertionError("the checkpoints suffice")):
        late = train(of_s3(), tmp_path / "late", progress=False)
    assert "irrep/restricted/test" in live.final()
    assert late.readings().equals(live.readings())


def test_the_summary_of_a_run_names_its_irreps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = replace(of_s3().measures.irrep, keys=("1.1.1",))
    config = of_s3(measures=replace(of_s3().measures, irrep=given))
    stored = train(config, tmp_path, progress=False)
    assert summary(stored)["keys"] == {"irrep": ["1.1.1"]}
    capsys.readouterr()
    print_summary(summary(stored))
    assert "key irreps 1.1.1 " in " ".join(capsys.readouterr().out.split())


def test_a_run_on_a_group_is_measured_as_it_was_live_and_names_its_irreps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored, runs = train(of_s3(), tmp_path, progress=False), f"--runs_dir={tmp_path}"
    capsys.readouterr()
    live = {key: x for key, x in stored.final().items() if key.startswith("irrep/")}
    marks = {key: live.pop(key) for key in list(live) if key.startswith("irrep/key/")}
    found = run(capsys, stored.key, runs, "--keys=each")
    assert [each["step"] for each in found] == [0, 10, 20]
    readings = found[-1]["readings"]
    assert {f"irrep/key/{key}" for key in readings.pop("irrep/keys")} == {
        key for key, x in marks.items() if x
    }
    assert {key: x for key, x in readings.items() if key.startswith("irrep/")} == live
    assert not any(key.startswith(("progress/", "fourier/")) for key in readings)


def test_irreps_may_be_given_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored, runs = train(of_s3(), tmp_path, progress=False), f"--runs_dir={tmp_path}"
    fixed = run(capsys, stored.key, runs, "--keys=1.1.1")
    assert [each["readings"]["irrep/keys"] for each in fixed] == [["1.1.1"]] * 3
    assert main(["measure", stored.key, runs, "--keys=2.1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(" 2.1")
    assert main(["measure", stored.key, runs, "--keys=2"]) == 2
    assert "measures.irrep.keys has 2: allowed are 2.1, 1.1.1" in capsys.readouterr().err


def test_on_addition_irreps_are_read_only_if_they_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.pt"
    write_checkpoint(file, published(11), "progress_measures")
    assert "irrep/keys" not in run(capsys, str(file))["readings"]
    found = run(capsys, str(file), "--families=irrep,progress")["readings"]
    assert found["irrep/keys"] == ["3", "4", "5"]
    assert found["progress/keys"] == [3, 4, 5]
    assert found["irrep/restricted/all"] == pytest.approx(found["progress/restricted/sum/all"])
    assert not [k for k in found if k.startswith(("irrep/excluded_single", "irrep/excluded_max"))]


def test_ablations_are_read_when_they_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for step, alpha in ((1, {3: 7.0}), (2, {3: 7.0, 4: 6.0})):
        write_checkpoint(tmp_path / f"{step}.safetensors", published(11, alpha, step), "grok")
    first, last = run(capsys, str(tmp_path), "--families=ablation")
    assert first["readings"]["progress/keys"] == last["readings"]["progress/keys"] == [3, 4]
    both = loss_of(11, {3: 7.0, 4: 6.0})
    for name in ("A2", "A5", "A7/zero", "A12"):
        assert last["readings"][f"ablation/{name}"] == pytest.approx(both, rel=1e-4)
    assert last["readings"]["ablation/A4/4"] == pytest.approx(loss_of(11, {3: 7.0}), rel=1e-4)
    every = run(capsys, str(tmp_path / "2.safetensors"))["readings"]
    assert not any(key.startswith("ablation/") for key in every)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "nothing is no file and no folder"),
        (["{file}", "--p=12"], "p=12: .* embeds 11 elements"),
        (["{file}", "--operation=plus"], "operation=plus is unknown; allowed: add, sub"),
        (["{file}", "--split_rule=mine"], "split_rule=mine is unknown; allowed: python_shuffle"),
        (["{file}", "--train_fraction=2"], "train_fraction=2.0"),
        (["{file}", "--keys=a"], "keys=a: allowed are last, each, or numbers"),
        (["{file}", "--keys=9"], "measures.progress.keys has 9: allowed are 1 to 5"),
        (["{file}", "--families=all"], "no family 'all'; there are: task"),
        (["{empty}"], "has no checkpoint"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, empty = tmp_path / "model.pt", tmp_path / "empty"
    write_checkpoint(file, published(11), "progress_measures")
    empty.mkdir()
    filled = [a.format(file=file, empty=empty) for a in arguments]
    assert main(["measure", *filled, f"--runs_dir={tmp_path}"]) == 2
    out, err = capsys.readouterr()
    assert not out
    (line,) = err.splitlines()
    import re

    assert re.search(message, line), line
