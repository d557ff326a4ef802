"""Where a series may lie, in folders, files or a run of ours, and what in it is a parameter."""

import math
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from grok.config import CheckpointConfig, Schedule, TrackingConfig
from grok.inputs import InputError
from grok.lit.train import train
from grok.offline.curve import Curve, read_curve
from grok.offline.layouts import layout_of, sets_of
from grok.offline.parameters import set_norms
from grok.offline.series import series_of
from tests.builders import tiny
from tests.hugging import State, folder_of, network
from tests.running import measures

W = torch.arange(1.0, 7.0).reshape(2, 3)


def names(folder: Path, **options: Any) -> list[tuple[int, str]]:
    found = series_of(str(folder), **options)
    assert [step for step, _ in found] == [revision.step for revision in found.revisions]
    return [(revision.step, revision.name) for revision in found.revisions]


def files(folder: Path, *stems: str) -> Path:
    for i, stem in enumerate(stems):
        save_file({"w": (i + 1) * W}, folder / stem)
    return folder


def test_names_tell_the_steps_and_steps_the_order(tmp_path: Path) -> None:
    files(tmp_path, "step_1000.pt", "step-200.ckpt", "epoch=3-step=30.ckpt", "checkpoint-5.bin")
    (tmp_path / "step20k").mkdir()
    (tmp_path / "notes_7.txt").write_text("no checkpoint")
    (tmp_path / ".step_8.pt").write_text("hidden")
    (tmp_path / "final.safetensors").write_text("without a step")
    assert [step for step, _ in names(tmp_path)] == [5, 30, 200, 1000, 20000]


def test_names_that_are_numbers_alone_are_steps_where_no_other_name_is(tmp_path: Path) -> None:
    files(tmp_path, "1000.safetensors", "20.pt")
    assert names(tmp_path) == [(20, "20.pt"), (1000, "1000.safetensors")]
    files(tmp_path, "step_7.pt")
    assert names(tmp_path) == [(7, "step_7.pt")]


def test_a_pattern_of_the_users_tells_the_steps(tmp_path: Path) -> None:
    files(tmp_path, "net-e3.pt", "net-e12.pt", "step_5.pt")
    assert names(tmp_path, pattern=r"-e(\d+)") == [(3, "net-e3.pt"), (12, "net-e12.pt")]
    for pattern, message in (
        ("(", "is no regular expression"),
        (r"e\d", "has 0 groups; allowed is 1, the step"),
        (r"x(\d+)", "no name matches"),
    ):
        with pytest.raises(InputError, match=message):
            series_of(str(tmp_path), pattern=pattern)


def test_places_without_checkpoints_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has nothing; no name matches"):
        series_of(str(tmp_path))
    with pytest.raises(InputError, match=r"is no folder; a series is one, or hf:OWNER/NAME"):
        series_of(str(tmp_path / "absent"))


def test_holes_are_told_where_the_others_are_equally_far_apart(tmp_path: Path) -> None:
    files(tmp_path, *(f"{i}.pt" for i in (0, 10, 20, 30, 50, 60, 90)))
    problems = series_of(str(tmp_path)).problems
    assert [problem.name for problem in problems] == []  # four of six
    files(tmp_path, *(f"{i}.pt" for i in range(100, 160, 10)))
    problems = series_of(str(tmp_path)).problems
    assert [tuple(problem) for problem in problems] == [
        (f"step {step}", "is missing") for step in (40, 70, 80)
    ]
    files(tmp_path, f"{10**14}.pt")  # not 10^13 holes
    assert not series_of(str(tmp_path)).problems


def test_steps_that_double_have_no_holes(tmp_path: Path) -> None:
    """The steps of Pythia."""
    steps = [0, *(2**i for i in range(10)), *range(1000, 20000, 1000)]
    files(tmp_path, *(f"step{i}.pt" for i in steps))
    found = series_of(str(tmp_path))
    assert len(found) == len(steps)
    assert not found.problems


@pytest.mark.parametrize("kind", ["pt", "safetensors", "ckpt"])
def test_files_of_any_kind_are_a_series(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any library of Hugging Face."""
    for library in ("transformers", "huggingface_hub"):
        monkeypatch.setitem(sys.modules, library, None)
    for step in (0, 10, 20):
        state = {"layers.0.weight": W * (step + 1), "n": torch.tensor(3.0), "ids": torch.arange(4)}
        file = tmp_path / f"step_{step}.{kind}"
        if kind == "safetensors":
            save_file(state, file)
        else:
            torch.save(state if kind == "pt" else {"state_dict": state}, file)
    curve = read_curve(series_of(str(tmp_path)))
    assert (curve.layout, dict(curve.n_weights)) == ("none", {"all": 6})
    norms = [math.sqrt(91) * x for x in (1, 11, 21)]
    assert curve.columns("all")["norm/theta"] == pytest.approx(norms)


def test_a_run_of_ours_is_a_series_with_the_norms_that_it_read(tmp_path: Path) -> None:
    config = tiny(
        n_steps=20,
        checkpoint=CheckpointConfig(every=10),
        measures=measures(norm=Schedule(every=10), dynamics=Schedule(every=10)),
        tracking=TrackingConfig(mode="disabled"),
    )
    run = train(config, tmp_path, progress=False)
    curve = read_curve(series_of(str(run.dir)))
    assert curve.steps.tolist() == [0, 10, 20]
    assert curve.layout == "grok"
    assert not curve.problems
    assert {"all", "encoder", "layer.0"} <= curve.n_weights.keys()
    readings = run.readings()
    assert {"norm/theta/all", "norm/theta/encoder"} <= set(readings.columns)
    for name in curve.n_weights:
        norms = curve.columns(name)["norm/theta"]
        if f"norm/theta/{name}" not in readings.columns:
            continue
        live = readings.filter(pl.col("step").is_in([0, 10, 20]))[f"norm/theta/{name}"]
        assert norms == pytest.approx(live.to_numpy(), rel=1e-6), name


FAMILIES = {  # layout, beginnings of the names of the paper's set, and of layer 1
    "T5": ("t5", ("encoder.block.", "encoder.final_layer_norm."), "encoder.block.1."),
    "GPTNeoX": ("gpt_neox", ("layers.", "final_layer_norm."), "layers.1."),
    "Bert": ("bert", ("encoder.layer.",), "encoder.layer.1."),
    "Roberta": ("bert", ("encoder.layer.",), "encoder.layer.1."),
    "GPT2": ("gpt2", ("h.", "ln_f."), "h.1."),
    "XLNet": ("xlnet", ("layer.",), "layer.1."),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("has_head", [False, True])
def test_the_sets_of_each_family_are_those_of_its_modules(
    family: str, has_head: bool, tmp_path: Path
) -> None:
    heads = {"T5": "ForConditionalGeneration", "GPTNeoX": "ForCausalLM", "GPT2": "LMHeadModel"}
    heads |= {"Bert": "ForMaskedLM", "Roberta": "ForMaskedLM", "XLNet": "LMHeadModel"}
    model = network(family, heads[family] if has_head else "Model")
    layout, encoder, layer = FAMILIES[family]
    base = getattr(model, model.base_model_prefix) if has_head and family != "T5" else model
    inner = dict(base.named_parameters())
    expected = {
        "all": list(model.parameters()),
        "encoder": [p for name, p in inner.items() if name.startswith(encoder)],
        "layer.1": [p for name, p in inner.items() if name.startswith(layer)],
    }
    for form in ("folder", "state"):  # the latter with buffers, and tied weights repeated
        folder = tmp_path / form / "step_0"
        folder_of(model, folder)
        if form == "state":
            (folder / "model.safetensors").unlink()
            torch.save(model.state_dict(), folder / "pytorch_model.bin")
        curve = read_curve(series_of(str(tmp_path / form)))
        assert curve.layout == layout
        for name, parameters in expected.items():
            assert curve.n_weights[name] == sum(p.numel() for p in parameters), name
            square = sum(float(p.detach().square().sum()) for p in parameters)
            assert curve.columns(name)["norm/theta"][0] == pytest.approx(math.sqrt(square))
        assert "layer.2" not in curve.n_weights


def test_weights_that_are_equal_but_not_tied_count_each() -> None:
    """Gains and biases at the start, and layers that were copied."""
    state: State = {f"encoder.layer.{i}.dense.weight": W for i in range(2)}
    state |= {f"encoder.layer.{i}.norm.bias": torch.ones(3) for i in range(2)}
    state |= {"pooler.a": torch.zeros(2, 3), "pooler.b": torch.zeros(2, 3)}
    assert set_norms(state)["all"] == pytest.approx(math.sqrt(2 * 91 + 6))
    table: State = {"embeddings.word": W, "cls.decoder.weight": W.clone()}
    bias: State = {"cls.bias": torch.ones(4), "cls.decoder.bias": torch.ones(4)}
    assert set_norms(state | table | bias)["all"] == pytest.approx(math.sqrt(3 * 91 + 6 + 4))
    bias["cls.decoder.bias"] = torch.full((4,), 2.0)
    assert set_norms(state | table | bias)["all"] == pytest.approx(math.sqrt(3 * 91 + 6 + 20))


def test_matrices_of_zeros_are_not_tied(tmp_path: Path) -> None:
    state = {"a": torch.zeros(2, 3), "b": torch.zeros(2, 3), "c": W, "d": W.clone()}
    assert curve_of(state, folder=tmp_path).n_weights == {"all": 18}


def test_half_precision_is_summed_in_double(tmp_path: Path) -> None:
    x = torch.full((300, 300), 200.0)
    expected = pytest.approx(300 * 200)
    for dtype in (torch.float16, torch.bfloat16):
        assert set_norms({"w": x.to(dtype)}) == {"all": expected}


def test_buffers_of_old_files_are_no_parameters() -> None:
    mask = torch.ones(1, 1, 4, 4)
    for found, buffers in (
        (["h.0.attn.c_attn.bias", "h.0.attn.c_attn.weight"], ["h.0.attn.bias"]),
        (["gpt_neox.layers.0.attention.query_key_value.bias"],
         ["gpt_neox.layers.0.attention.bias", "gpt_neox.layers.0.attention.rotary_emb.inv_freq"]),
        (["encoder.layer.0.x", "encoder.layer.0.bias"], ["embeddings.position_ids"]),
    ):  # fmt: skip
        kept = [*found, *buffers]
        assert sets_of(kept, layout_of(kept))["all"] == found
        state = dict.fromkeys(found, W) | dict.fromkeys(buffers, mask)
        assert set_norms(state)["all"] == pytest.approx(math.sqrt(91 * len(found)))


def curve_of(*states: State, folder: Path) -> Curve:
    for step, state in enumerate(states):
        save_file(state, folder / f"step_{step}.safetensors")
    return read_curve(series_of(str(folder)))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"a": W}, "lacks 'b', which others have"),
        ({"a": W, "b": W.T.contiguous()}, "'b' has shape (3, 2), not (2, 3)"),
        ({"a": W, "b": W * math.nan}, "'b' has numbers that are not finite"),
        ({"a": W, "b": W * math.inf}, "'b' has numbers that are not finite"),
        ({"n": torch.arange(3)}, "lacks 'a', which others have"),
    ],
)
def test_a_checkpoint_of_other_parameters_is_left_out(
    other: State, message: str, tmp_path: Path
) -> None:
    """And the step goes from the one before it to the one after it."""
    both = {"a": W, "b": W + 1}
    curve = curve_of(both, other, {"a": 3 * W, "b": W + 1}, folder=tmp_path)
    assert [tuple(problem) for problem in curve.problems] == [("step_1.safetensors", message)]
    assert curve.steps.tolist() == [0, 2]
    assert curve.columns("all")["norm/delta"][1] == pytest.approx(2 * math.sqrt(91))


def test_a_series_without_a_parameter_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"has no checkpoint that can be read; step_0.* has no para"
    ):
        curve_of({"n": torch.arange(3)}, folder=tmp_path)
