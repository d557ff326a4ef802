"""What stands in a file beside the weights, and which of its states is read."""

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from grok.formats import read_checkpoint
from grok.inputs import InputError
from tests.formats.samples import (
    State,
    gaussian,
    logits,
    pairs,
    progress_measures,
    published,
    transformer_lens,
    transformer_lens_logits,
)


def series(numbers: list[int]) -> list[State]:
    """States of a run; W_U is the number everywhere."""
    return [progress_measures(7) | {"unembed.W_U": torch.full((8, 8), float(i))} for i in numbers]


def test_curves_and_configurations_come_along(tmp_path: Path) -> None:
    beside = {
        "train_losses": [4.7, float("inf")],
        "config": {"p": 7, "act_type": "GeLU", "num_heads": 4, "device": torch.device("cpu")},
        "train_indices": torch.tensor([3, 1]),
        "train_data": [(0, 1, 7)],
        "epoch": 300,
    }
    state = progress_measures(7)
    skipped = {"optimizer": {"state": {0: {"step": 1}}}, "grid": torch.zeros(2, 2)}
    torch.save({"model": state, **beside, **skipped}, tmp_path / "300.pth")
    found = read_checkpoint(tmp_path / "300.pth")
    assert found.step == 300
    assert found.config.act == "gelu"
    assert found.extras == beside | {
        "config": {"p": 7, "act_type": "GeLU", "num_heads": 4},
        "train_indices": [3, 1],
        "train_data": [[0, 1, 7]],
    }


def test_what_is_given_overrules_what_the_file_says(tmp_path: Path) -> None:
    config = {"act_type": "GeLU", "attention_dir": "bidirectional"}
    torch.save({"model": progress_measures(7), "config": config}, tmp_path / "m.pth")
    said = read_checkpoint(tmp_path / "m.pth").config
    given = read_checkpoint(tmp_path / "m.pth", act="relu", causal=True).config
    assert (said.act, said.causal) == ("gelu", False)
    assert (given.act, given.causal) == ("relu", True)


@pytest.mark.parametrize(
    ("states", "numbers"), [("state_dicts", "epochs"), ("checkpoints", "checkpoint_epochs")]
)
def test_one_state_of_a_run_is_read_by_its_number(
    states: str, numbers: str, tmp_path: Path
) -> None:
    each = [0, 100, 200, 300, 400]
    torch.save({states: series(each), numbers: each}, tmp_path / "full.pth")
    for given, step in ((None, 400), (0, 0), (200, 200)):
        found = read_checkpoint(tmp_path / "full.pth", step=given)
        assert found.step == step
        assert (found.parameters["W_U"] == step).all()
    with pytest.raises(InputError, match=r"no state 50; allowed are 0, 100, 200, \.\.\., 400"):
        read_checkpoint(tmp_path / "full.pth", step=50)


def test_the_model_of_a_run_is_read_before_its_series(tmp_path: Path) -> None:
    whole = {"model": series([9])[0], "checkpoints": series([1, 2]), "checkpoint_epochs": [1, 2]}
    torch.save(whole, tmp_path / "full.pth")
    found = read_checkpoint(tmp_path / "full.pth")
    assert found.step is None
    assert (found.parameters["W_U"] == 9).all()
    assert (read_checkpoint(tmp_path / "full.pth", step=1).parameters["W_U"] == 1).all()


@dataclass
class HookedTransformerConfig:
    """Pickled as the class of TransformerLens."""

    act_fn: str = "gelu"
    n_heads: int = 4
    d_head: int = 2
    attn_scale: float = 2**0.5
    normalization_type: Any = None
    attention_dir: str = "causal"
    dtype: torch.dtype = torch.float32


@pytest.fixture
def lens(monkeypatch: pytest.MonkeyPatch) -> type[HookedTransformerConfig]:
    """The class under its published name, importable only while files are written."""
    name = "transformer_lens.HookedTransformerConfig"
    monkeypatch.setitem(sys.modules, "transformer_lens", ModuleType("transformer_lens"))
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(
        sys.modules[name], "HookedTransformerConfig", HookedTransformerConfig, False
    )
    monkeypatch.setattr(HookedTransformerConfig, "__module__", name)
    return HookedTransformerConfig


def test_the_configuration_of_transformer_lens_is_read_without_it(
    lens: type[HookedTransformerConfig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    torch.save({"model": transformer_lens(7), "config": lens()}, tmp_path / "demo.pth")
    monkeypatch.delitem(sys.modules, "transformer_lens.HookedTransformerConfig")
    monkeypatch.setattr(HookedTransformerConfig, "__init__", None)
    found = read_checkpoint(tmp_path / "demo.pth")
    assert found.config.act == "gelu"
    assert found.extras["config"]["n_heads"] == 4
    assert "dtype" not in found.extras["config"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"normalization_type": "LNPre"}, "normalization_type='LNPre'; allowed is None"),
        ({"act_fn": "silu"}, "activation 'silu'; allowed are relu, gelu"),
        ({"attn_scale": 1.0}, "attn_scale=1.0; allowed is the root of d_head=2"),
        ({"n_heads": 8}, "has 4 heads; n_heads=8"),
    ],
)
def test_a_configuration_of_another_network_is_refused(
    fields: dict[str, Any], message: str, lens: type[HookedTransformerConfig], tmp_path: Path
) -> None:
    torch.save({"model": transformer_lens(7), "config": lens(**fields)}, tmp_path / "demo.pth")
    with pytest.raises(InputError, match=message):
        read_checkpoint(tmp_path / "demo.pth")


def test_buffers_and_copies_of_other_modules_are_passed_over(tmp_path: Path) -> None:
    state = transformer_lens(7)
    more = {"hook_embed.weight": gaussian(2), "blocks.0.attn.rotary_sin": gaussian(3, 2)}
    torch.save(state | more, tmp_path / "m.pth")
    expected = transformer_lens_logits(state, pairs(7))
    torch.testing.assert_close(logits(read_checkpoint(tmp_path / "m.pth")), expected)


def test_torch_files_need_the_number_of_heads(tmp_path: Path) -> None:
    state = {"a.in_proj_weight": gaussian(24, 8)}
    torch.save(state, tmp_path / "m.pth")
    with pytest.raises(InputError, match="give n_heads, a divisor of 8"):
        read_checkpoint(tmp_path / "m.pth")


def test_the_norms_of_an_encoder_layer_are_refused_by_name(tmp_path: Path) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 12)
    torch.save(layer.state_dict(), tmp_path / "m.pth")
    with pytest.raises(InputError, match=r"'norm1.weight' is of a norm"):
        read_checkpoint(tmp_path / "m.pth", n_heads=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blocks.0.ln1.w": gaussian(8)}, r"'blocks.0.ln1.w' is of a norm"),
        ({"ln_final.w": gaussian(8)}, r"'ln_final.w' is of a norm"),
        ({"blocks.0.mlp.W_gate": gaussian(8, 12)}, r"'blocks.0.mlp.W_gate' has no place"),
        ({"blocks.2.attn.W_Q": gaussian(4, 8, 2)}, r"'blocks.2.attn.W_Q' has no place"),
        ({"blocks.0.attn.mask": torch.ones(3, 3)}, "not the lower triangle of 3 positions"),
        ({"pos_embed.W_pos": gaussian(5, 8)}, "has 5 of pos; allowed is 3"),
        ({"unembed.W_U": gaussian(8, 5)}, "has 5 outputs for 8 tokens; allowed are 7 .* and 8"),
        ({"blocks.0.attn.W_Q": gaussian(3, 8, 2)}, "3 heads of 2; allowed are heads that fill"),
        ({"blocks.0.mlp.W_out": gaussian(8, 12)}, r"shape \(8, 12\); allowed is \(12, 8\)"),
        ({"blocks.0.attn.W_O": gaussian(8, 8)}, "W_Q has 2 of d_model; allowed is 8"),
    ],
)
def test_another_architecture_is_refused_by_the_name_that_shows_it(
    change: State, message: str, tmp_path: Path
) -> None:
    torch.save(transformer_lens(7) | change, tmp_path / "m.pth")
    with pytest.raises(InputError, match=message):
        read_checkpoint(tmp_path / "m.pth")


def test_square_matrices_without_telling_names_are_refused(tmp_path: Path) -> None:
    state = {"b.attn.in_proj_weight": gaussian(24, 8), "b.attn.out_proj.weight": gaussian(8, 8)}
    state |= {"emb.weight": gaussian(8, 8), "pos.weight": gaussian(3, 8)}
    state |= {"head.weight": gaussian(8, 8), "b.x.weight": gaussian(8, 8)}
    torch.save(state | {"b.y.weight": gaussian(8, 8)}, tmp_path / "m.pth")
    with pytest.raises(InputError, match="both square: their order is not told"):
        read_checkpoint(tmp_path / "m.pth", n_heads=2)


def test_a_stored_mask_of_unknown_meaning_has_to_be_explained(tmp_path: Path) -> None:
    from grok.formats import write_checkpoint

    write_checkpoint(tmp_path / "m.pth", published(), "torch")
    state = torch.load(tmp_path / "m.pth", weights_only=True)
    torch.save(state | {"blocks.0.attn_mask": torch.ones(3, 3)}, tmp_path / "m.pth")
    with pytest.raises(InputError, match="give causal"):
        read_checkpoint(tmp_path / "m.pth", n_heads=4)
    assert read_checkpoint(tmp_path / "m.pth", n_heads=4, causal=True).config.causal
