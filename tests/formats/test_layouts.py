"""Every layout computes by our transformer what it computes by its own formulas."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from grok.formats import FORMATS, Published, read_checkpoint, write_checkpoint
from grok.formats.checkpoint import Format
from grok.inputs import InputError
from grok.models.config import norm_config
from grok.models.transformer import Transformer
from tests.formats.samples import (
    State,
    gaussian,
    logits,
    pairs,
    progress_measures,
    progress_measures_logits,
    published,
    transformer_lens,
    transformer_lens_logits,
)

SIZES = [(7, 1, 4), (8, 1, 1), (7, 2, 1), (8, 2, 4)]
"""p odd and even, one and two layers, one head (W_Q is square) and four."""


def assert_same(found: Published, expected: Published) -> None:
    assert found.n == expected.n
    assert found.config == expected.config
    assert found.parameters.keys() == expected.parameters.keys()
    for name, value in expected.parameters.items():
        assert found.parameters[name].dtype == value.dtype
        assert found.parameters[name].is_contiguous()
        assert torch.equal(found.parameters[name], value)
    assert torch.equal(logits(found), logits(expected))


def assert_valid(found: Published) -> None:
    shapes = Transformer(found.config, found.n).shapes()
    assert {name: tuple(x.shape) for name, x in found.parameters.items()} == shapes


@pytest.mark.parametrize(("p", "n_layers", "n_heads"), SIZES)
@pytest.mark.parametrize("container", ["torch", "safetensors"])
def test_progress_measures_files_have_the_logits_of_their_own_formula(
    p: int, n_layers: int, n_heads: int, container: str, tmp_path: Path
) -> None:
    state = progress_measures(p, n_layers, n_heads)
    path = tmp_path / "final.pth"
    torch.save({"model": state}, path) if container == "torch" else save_file(state, path)
    found = read_checkpoint(path)
    assert found.format == "progress_measures"
    assert_valid(found)
    torch.testing.assert_close(logits(found), progress_measures_logits(state, pairs(p)))


@pytest.mark.parametrize(("p", "n_layers", "n_heads"), SIZES)
@pytest.mark.parametrize("container", ["torch", "safetensors"])
def test_transformer_lens_files_have_the_logits_of_their_own_formula(
    p: int, n_layers: int, n_heads: int, container: str, tmp_path: Path
) -> None:
    state = transformer_lens(p, n_layers, n_heads)
    path = tmp_path / "model"
    torch.save(state, path) if container == "torch" else save_file(state, path)
    found = read_checkpoint(path)
    assert found.format == "transformer_lens"
    assert_valid(found)
    assert not found.config.output_equals
    torch.testing.assert_close(logits(found), transformer_lens_logits(state, pairs(p)))


@pytest.mark.parametrize("build", [progress_measures, transformer_lens])
def test_where_every_size_is_equal_the_axes_are_still_told_apart(build, tmp_path: Path) -> None:
    """d_model = d_mlp = vocab = classes = 8, one head: every matrix is square."""
    state = build(7, n_heads=1, d=8, m=8, n_out=8)
    torch.save(state, tmp_path / "square.pth")
    found = read_checkpoint(tmp_path / "square.pth")
    formula = {
        "progress_measures": progress_measures_logits,
        "transformer_lens": transformer_lens_logits,
    }[found.format]
    torch.testing.assert_close(logits(found), formula(state, pairs(7)))


class Modules(nn.Module):
    """A causal transformer of torch's own modules."""

    def __init__(self, p: int, d: int, m: int, n_heads: int, bias: bool) -> None:
        super().__init__()
        self.tok_emb = nn.Embedding(p + 1, d)
        self.pos_emb = nn.Parameter(torch.randn(1, 3, d))
        self.layers = nn.ModuleList()
        for _ in range(2):
            layer = nn.Module()
            layer.attn = nn.MultiheadAttention(d, n_heads, bias=bias, batch_first=True)
            layer.mlp = nn.Sequential(nn.Linear(d, m, bias=bias), nn.GELU(), nn.Linear(m, d, bias))
            self.layers.append(layer)
        self.head = nn.Linear(d, p, bias=bias)

    def forward(self, tokens):
        x = self.tok_emb(tokens) + self.pos_emb
        future = torch.ones(3, 3, dtype=torch.bool).triu(1)
        for layer in self.layers:
            x = x + layer.attn(x, x, x, attn_mask=future, need_weights=False)[0]  # type: ignore
            x = x + layer.mlp(x)  # type: ignore
        return self.head(x)


@pytest.mark.parametrize("m", [12, 8], ids=["wide", "square"])
@pytest.mark.parametrize(("p", "n_heads"), [(7, 4), (8, 1)])
def test_torch_files_have_the_logits_of_the_modules(
    p: int, n_heads: int, m: int, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    modules = Modules(p, 8, m, n_heads, bias=True).double()
    for parameter in modules.parameters():
        nn.init.normal_(parameter)
    torch.save(modules.state_dict(), tmp_path / "model.pt")
    found = read_checkpoint(tmp_path / "model.pt", n_heads=n_heads, act="gelu", causal=True)
    assert found.format == "torch"
    assert_valid(found)
    torch.testing.assert_close(logits(found), modules(pairs(p)))


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize(("p", "n_layers", "n_heads"), SIZES)
@pytest.mark.parametrize(
    "fields", [{}, {"output_equals": False}, {"tied": True, "d_mlp": 8}], ids=str
)
def test_a_model_comes_back_from_every_layout(
    to: Format, p: int, n_layers: int, n_heads: int, fields: dict[str, Any], tmp_path: Path
) -> None:
    model = published(p, n_layers=n_layers, n_heads=n_heads, **fields)
    write_checkpoint(tmp_path / "model.pth", model, to)
    given: dict[str, Any] = {"n_heads": n_heads, "causal": True} if to == "torch" else {}
    found = read_checkpoint(tmp_path / "model.pth", **given)
    assert found.format == to
    assert_same(found, model)


@pytest.mark.parametrize("to", FORMATS)
def test_safetensors_say_what_shapes_do_not(to: Format, tmp_path: Path) -> None:
    model = published(act="gelu", causal=False)
    write_checkpoint(tmp_path / "model.safetensors", model, to)
    found = read_checkpoint(tmp_path / "model.safetensors")
    assert found.format == to
    assert found.step == 400
    assert_same(found, model)


@pytest.mark.parametrize("to", ["grok", "transformer_lens", "torch"])
def test_every_bias_comes_back(to: Format, tmp_path: Path) -> None:
    model = published(bias_qkv=True, bias_out=True, bias_unembed=True, n_layers=2)
    write_checkpoint(tmp_path / "m.safetensors", model, to)
    assert_same(read_checkpoint(tmp_path / "m.safetensors"), model)


@pytest.mark.parametrize("to", FORMATS)
def test_biases_of_the_mlp_are_kept_where_they_are_zero(to: Format, tmp_path: Path) -> None:
    model = published()
    zero = {
        n: torch.zeros_like(x) for n, x in model.parameters.items() if n.endswith(("in", "out"))
    }
    biases = {name: x for name, x in zero.items() if ".b_" in name}
    assert len(biases) == 2
    model = model._replace(parameters=model.parameters | biases)
    write_checkpoint(tmp_path / "m.safetensors", model, to)
    assert_same(read_checkpoint(tmp_path / "m.safetensors"), model)


@pytest.mark.parametrize("to", ["transformer_lens", "progress_measures"])
def test_a_model_without_biases_gets_zeros_where_the_layout_has_them(
    to: Format, tmp_path: Path
) -> None:
    model = published(bias_mlp=False)
    write_checkpoint(tmp_path / "m.pth", model, to)
    found = read_checkpoint(tmp_path / "m.pth")
    assert not found.parameters["blocks.0.b_in"].any()
    assert "blocks.0.b_Q" not in found.parameters
    torch.testing.assert_close(logits(found), logits(model))


def test_a_bias_of_one_head_in_one_block_keeps_all_of_its_kind(tmp_path: Path) -> None:
    state = transformer_lens(7, n_layers=2)
    for name in state:
        if ".attn.b_" in name or name == "unembed.b_U":
            state[name] = torch.zeros_like(state[name])
    state["blocks.1.attn.b_V"][2, 1] = 0.5
    torch.save(state, tmp_path / "m.pth")
    found = read_checkpoint(tmp_path / "m.pth")
    flags = (found.config.bias_qkv, found.config.bias_out, found.config.bias_unembed)
    assert flags == (True, False, False)
    assert not found.parameters["blocks.0.b_Q"].any()
    torch.testing.assert_close(logits(found), transformer_lens_logits(state, pairs(7)))


@pytest.mark.parametrize("to", ["transformer_lens", "progress_measures"])
def test_what_is_written_has_the_entries_that_the_published_code_loads(
    to: Format, tmp_path: Path
) -> None:
    model = published(output_equals=False)
    write_checkpoint(tmp_path / "m.pth", model, to)
    written = torch.load(tmp_path / "m.pth", weights_only=True)
    build = transformer_lens if to == "transformer_lens" else progress_measures
    expected = build(7, n_out=7)
    assert {n: x.shape for n, x in written.items()} == {n: x.shape for n, x in expected.items()}
    formula = transformer_lens_logits if to == "transformer_lens" else progress_measures_logits
    torch.testing.assert_close(formula(written, pairs(7)), logits(model))


def test_what_is_written_for_torch_loads_into_its_modules(tmp_path: Path) -> None:
    model = published(bias_qkv=True, bias_out=True)
    write_checkpoint(tmp_path / "m.pth", model, "torch")
    written = torch.load(tmp_path / "m.pth", weights_only=True)
    attention = nn.MultiheadAttention(8, 4, batch_first=True, dtype=torch.float64)
    prefix = "blocks.0.attn."
    inside = {n.removeprefix(prefix): x for n, x in written.items() if n.startswith(prefix)}
    attention.load_state_dict(inside)
    x = gaussian(5, 3, 8)
    linear = nn.functional.linear
    w = {n.removeprefix("blocks.0."): v.unsqueeze(0) for n, v in model.parameters.items()}
    q, k, v = (linear(x, w[f"W_{n}"][0], w[f"b_{n}"][0]).unflatten(-1, (4, 2)) for n in "QKV")
    pattern = torch.einsum("bqhd,bkhd->bhqk", q, k).div(2**0.5).softmax(dim=-1)
    z = torch.einsum("bhqk,bkhd->bqhd", pattern, v).flatten(2)
    expected = linear(z, w["W_O"][0], w["b_O"][0])
    torch.testing.assert_close(attention(x, x, x, need_weights=False)[0], expected)


@pytest.mark.parametrize("name", ["pre", "post", "qk_norm"])
def test_only_our_own_layout_has_norms(name: str, tmp_path: Path) -> None:
    model = published(norm=norm_config(name), readout_scale=2.0)
    write_checkpoint(tmp_path / "m.safetensors", model, "grok")
    assert_same(read_checkpoint(tmp_path / "m.safetensors"), model)
    with pytest.raises(InputError, match=f"norm={name} has no place in torch; allowed is grok"):
        write_checkpoint(tmp_path / "n.pth", model, "torch")
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize(
    ("fields", "to", "message"),
    [
        ({"act": "glu"}, "torch", "act=glu has no place in torch"),
        ({"readout_scale": 2.0}, "transformer_lens", "readout_scale=2.0 has no place"),
        ({"subtract_initial": True}, "torch", "subtract_initial=True has no place"),
        ({"bias_qkv": True}, "progress_measures", "blocks.0.b_Q has no place"),
        ({"n_layers": 2, "causal": False}, "progress_measures", "allowed is causal=True"),
    ],
)
def test_what_a_layout_cannot_hold_is_not_written(
    fields: dict[str, Any], to: Format, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        write_checkpoint(tmp_path / "m.pth", published(**fields), to)
    assert not list(tmp_path.iterdir())


def test_parts_are_written_as_well_as_what_was_read(tmp_path: Path) -> None:
    model = published()
    write_checkpoint(tmp_path / "m.safetensors", model[1:4], "grok")
    assert_same(read_checkpoint(tmp_path / "m.safetensors"), model)


@pytest.mark.parametrize("damage", ["missing", "unknown", "shape", "nan", "folder"])
def test_what_could_not_be_read_back_is_not_written(damage: str, tmp_path: Path) -> None:
    model, path = published(), tmp_path / "m.safetensors"
    if damage == "missing":
        del model.parameters["W_U"]
    elif damage == "unknown":
        model.parameters["W_X"] = torch.zeros(2)
    elif damage == "shape":
        model.parameters["W_U"] = torch.zeros(2)
    elif damage == "nan":
        model.parameters["W_U"][0, 0] = torch.nan
    else:
        path = tmp_path / "absent" / "m.safetensors"
    with pytest.raises(InputError, match=r"W_U|W_X|cannot be written"):
        write_checkpoint(path, model, "grok")
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_a_run_needs_its_config_or_its_heads(tmp_path: Path) -> None:
    model = published(act="gelu", causal=False, bias_out=True, n_layers=2)
    moments = {f"optim/exp_avg.{name}": x.clone() for name, x in model.parameters.items()}
    path = tmp_path / "00000400.safetensors"
    save_file(model.parameters | moments, path, {"format": "grok", "step": "400", "run": "add-1"})
    with pytest.raises(InputError, match="give n_heads or the run's config"):
        read_checkpoint(path)
    for found in (read_checkpoint(path, n_heads=4), read_checkpoint(path, config=model.config)):
        assert_same(found, model)
        assert found.step == 400
        assert found.extras == {"format": "grok", "run": "add-1"}


def test_a_config_of_another_run_is_refused(tmp_path: Path) -> None:
    model = published()
    save_file(model.parameters, tmp_path / "m.safetensors")
    with pytest.raises(InputError, match=r"W_in' has shape \(12, 8\); allowed is \(16, 8\)"):
        read_checkpoint(tmp_path / "m.safetensors", config=published(d_mlp=16).config)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_is_read_exactly_into_single(dtype: torch.dtype, tmp_path: Path) -> None:
    state = {n: x.to(dtype) if x.is_floating_point() else x for n, x in transformer_lens(7).items()}
    torch.save(state, tmp_path / "m.pth")
    found = read_checkpoint(tmp_path / "m.pth")
    assert {x.dtype for x in found.parameters.values()} == {torch.float32}
    assert torch.equal(found.parameters["W_E"], state["embed.W_E"].float())


def test_views_are_read_as_tensors_of_their_own(tmp_path: Path) -> None:
    state = progress_measures(7)
    base = gaussian(8, 9)
    state["embed.W_E"] = base.T[:8].T[:, :8]
    state["blocks.0.attn.W_O"] = base[:, 1:].T
    torch.save(state, tmp_path / "m.pth")
    found = read_checkpoint(tmp_path / "m.pth")
    torch.testing.assert_close(logits(found), progress_measures_logits(state, pairs(7)))
    assert found.parameters["W_E"].untyped_storage().nbytes() == 8 * 8 * 8


def test_modules_that_share_a_matrix_are_tied(tmp_path: Path) -> None:
    modules = Modules(7, 8, 12, 2, bias=False)
    modules.head = nn.Linear(8, 8, bias=False)
    modules.head.weight = modules.tok_emb.weight
    state = modules.state_dict()
    assert {"head.weight", "tok_emb.weight"} <= state.keys()
    torch.save({"state_dict": {f"module.{n}": x for n, x in state.items()}}, tmp_path / "m.pth")
    found = read_checkpoint(tmp_path / "m.pth", n_heads=2)
    assert found.config.tied
    assert "W_U" not in found.parameters


NAMES: list[tuple[str, State]] = [
    ("W_in and W_out", {"mlp.W_in.weight": gaussian(8, 8), "mlp.W_out.weight": gaussian(8, 8)}),
    ("up and down", {"ff.down_proj.weight": gaussian(8, 8), "ff.up_proj.weight": gaussian(8, 8)}),
    ("numbers", {"fc2.weight": gaussian(8, 8), "fc1.weight": gaussian(8, 8)}),
]


@pytest.mark.parametrize("mlp", [mlp for _, mlp in NAMES], ids=[name for name, _ in NAMES])
def test_one_block_without_a_prefix_is_found_by_names(mlp: State, tmp_path: Path) -> None:
    state = {
        "self_attn.in_proj_weight": gaussian(24, 8),
        "self_attn.out_proj.weight": gaussian(8, 8),
    }
    state |= {"wte.weight": gaussian(8, 8), "wpe.weight": gaussian(3, 8)}
    state |= {"lm_head.weight": gaussian(7, 8, seed=1)} | mlp
    torch.save(state, tmp_path / "m.pth")
    found = read_checkpoint(tmp_path / "m.pth", n_heads=2)
    first = next(x for n, x in mlp.items() if any(word in n for word in ("W_in", "up", "fc1")))
    assert torch.equal(found.parameters["blocks.0.W_in"], first)
    assert found.config.output_equals is False
