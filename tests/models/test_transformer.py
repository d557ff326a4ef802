"""The full form against plain torch, and what the architecture implies."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from grok.models.config import PLACEMENTS, NormConfig, norm_config
from grok.models.transformer import Transformer
from tests.builders import (
    EVERY_PLACEMENT,
    NORM_KINDS,
    READS,
    VARIANTS,
    random_parameters,
    transformer,
)
from tests.plain import PlainTransformer


def random_tokens(n_runs: int, n_batch: int, vocab: int) -> Tensor:
    """Any tokens at any position: the network does not know what a pair is."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(vocab, (n_runs, n_batch, 3), generator=generator)


def assert_equals_plain_torch(model: Transformer) -> None:
    params, tokens = random_parameters(model, 2), random_tokens(2, 6, model.n + 1)
    acts = model.forward(params, tokens)
    for run in range(2):
        plain = PlainTransformer(model.config, model.n)
        plain.load({name: x[run] for name, x in params.items()})
        expected = plain(tokens[run])
        torch.testing.assert_close(acts.logits[run], expected.logits)
        for block, pattern in zip(acts.blocks, expected.patterns, strict=True):
            torch.testing.assert_close(block.pattern[run], pattern)
            torch.testing.assert_close(block.scores[run].softmax(dim=-1), pattern)


@pytest.mark.parametrize("norm", EVERY_PLACEMENT, ids=lambda norm: norm.name)
def test_full_form_equals_plain_torch_for_every_placement(norm: NormConfig) -> None:
    assert_equals_plain_torch(transformer(norm=norm))


@pytest.mark.parametrize("norm", NORM_KINDS.values(), ids=NORM_KINDS.keys())
def test_full_form_equals_plain_torch_for_every_kind_of_norm(norm: NormConfig) -> None:
    assert_equals_plain_torch(transformer(norm=norm))


@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize("norm", [NormConfig(), norm_config("pre")], ids=lambda norm: norm.name)
def test_full_form_equals_plain_torch_for_every_option(
    fields: dict[str, Any], norm: NormConfig
) -> None:
    assert_equals_plain_torch(transformer(norm=norm, **fields))


def test_attention_without_norms_is_that_of_torch() -> None:
    model = transformer(bias_qkv=True, bias_out=True)
    params = random_parameters(model, 1)
    theirs = nn.MultiheadAttention(8, 2, batch_first=True).double()
    p = {name.removeprefix("blocks.0."): x[0] for name, x in params.items()}
    theirs.load_state_dict(
        {
            "in_proj_weight": torch.cat([p["W_Q"], p["W_K"], p["W_V"]]),
            "in_proj_bias": torch.cat([p["b_Q"], p["b_K"], p["b_V"]]),
            "out_proj.weight": p["W_O"],
            "out_proj.bias": p["b_O"],
        }
    )
    block = model.forward(params, random_tokens(1, 4, 6)).blocks[0]
    x = block.resid_pre[0]
    attn_out, pattern = theirs(x, x, x, average_attn_weights=False)
    torch.testing.assert_close(block.attn_out[0], attn_out)
    torch.testing.assert_close(block.pattern[0], pattern)


@pytest.mark.parametrize("fields", [{}, {"n_layers": 3}, {"n_layers": 2, "causal": True}], ids=str)
def test_reading_only_the_last_row_gives_that_row(fields: dict[str, Any]) -> None:
    model = transformer(norm=norm_config("peri"), **fields)
    params, tokens = random_parameters(model, 2), random_tokens(2, 6, 6)
    whole, last = model.forward(params, tokens), model.forward(params, tokens, read="last")
    torch.testing.assert_close(last.logits, whole.logits[:, :, -1:])
    torch.testing.assert_close(last.pre_logits, whole.pre_logits[:, :, -1:])


@pytest.mark.parametrize("name", PLACEMENTS)
def test_each_branch_is_added_to_the_stream(name: str) -> None:
    model = transformer(norm=norm_config(name), n_layers=2)
    acts = model.forward(random_parameters(model, 2), random_tokens(2, 6, 6))
    if name != "post":
        for block in acts.blocks:
            torch.testing.assert_close(block.resid_mid, block.resid_pre + block.attn_out)
            torch.testing.assert_close(block.resid_post, block.resid_mid + block.mlp_out)
    torch.testing.assert_close(acts.blocks[1].resid_pre, acts.blocks[0].resid_post)


def test_a_causal_mask_changes_nothing_in_the_last_row_of_one_layer() -> None:
    free, causal = transformer(), transformer(causal=True)
    params, tokens = random_parameters(free, 2), random_tokens(2, 6, 6)
    ours, theirs = free.forward(params, tokens).logits, causal.forward(params, tokens).logits
    torch.testing.assert_close(ours[:, :, -1], theirs[:, :, -1], rtol=0, atol=0)
    assert not torch.allclose(ours[:, :, 0], theirs[:, :, 0])


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("position", [1, 2])
def test_a_causal_network_does_not_look_ahead_at_any_depth(causal: bool, position: int) -> None:
    model = transformer(n_layers=2, causal=causal)
    params, tokens = random_parameters(model, 2), random_tokens(2, 6, 6)
    later = tokens.clone()
    later[..., position] = (later[..., position] + 1) % 6
    before, after = (model.forward(params, t).logits for t in (tokens, later))
    earlier_rows = torch.equal(before[:, :, :position], after[:, :, :position])
    assert earlier_rows == causal
    assert not torch.allclose(before[:, :, position:], after[:, :, position:])


def scaled_stream(params: dict[str, Tensor], c: float) -> dict[str, Tensor]:
    """Parameters with which the input of the first block is c times as large."""
    return params | {name: c * params[name] for name in ("W_E", "W_pos")}


@pytest.mark.parametrize("reads", READS, ids=str)
@pytest.mark.parametrize("kind", ["layer", "rms", "l2"])
def test_attention_is_blind_to_the_scale_of_the_stream_exactly_where_it_reads_a_norm(
    reads: tuple[bool, ...], kind: str
) -> None:
    """IB-03."""
    q, k, v, mlp = reads
    norm = NormConfig(q=q, k=k, v=v, mlp=mlp, kind=kind, eps=0.0)  # pyright: ignore[reportArgumentType]
    model = transformer(norm=norm)
    params, tokens = random_parameters(model, 1), random_tokens(1, 6, 6)
    before, after = (
        model.forward(p, tokens).blocks[0] for p in (params, scaled_stream(params, 7.0))
    )
    assert torch.allclose(before.pattern, after.pattern) == (q and k)
    assert torch.allclose(before.attn_out, after.attn_out) == (q and k and v)


@pytest.mark.parametrize("reads", READS, ids=str)
@pytest.mark.parametrize("kind", ["layer", "rms", "l2"])
def test_the_mlp_is_blind_to_the_scale_of_its_input_exactly_when_it_reads_a_norm(
    reads: tuple[bool, ...], kind: str
) -> None:
    """IB-03: the input of the MLP is scaled by scaling both terms of its sum."""
    q, k, v, mlp = reads
    norm = NormConfig(q=q, k=k, v=v, mlp=mlp, kind=kind, eps=0.0)  # pyright: ignore[reportArgumentType]
    model = transformer(norm=norm)
    params = random_parameters(model, 1)
    block = model.forward(params, random_tokens(1, 6, 6)).blocks[0]

    def mlp_out(c: float) -> Tensor:
        x, z = c * block.resid_pre, c * block.z
        prefix = "blocks.0."
        return model.after_attention(params, prefix, x, block.scores, block.pattern, z).mlp_out

    assert torch.allclose(mlp_out(1.0), mlp_out(7.0)) == mlp
    torch.testing.assert_close(mlp_out(1.0), block.mlp_out)


def test_unused_norms_are_built_on_request_and_read_by_nothing() -> None:
    model = transformer(norm=norm_config("mlp", build_unused=True))
    params, tokens = random_parameters(model, 1), random_tokens(1, 6, 6)
    assert [name for name in params if not model.is_trained(name)] == [
        "blocks.0.ln1.w",
        "blocks.0.ln1.b",
    ]
    changed = params | {"blocks.0.ln1.w": params["blocks.0.ln1.w"] + 1}
    assert torch.equal(model.forward(params, tokens).logits, model.forward(changed, tokens).logits)
    assert "blocks.0.ln1.w" not in transformer(norm=norm_config("mlp")).shapes()
    assert "blocks.0.ln1.w" not in transformer(norm=norm_config("none", build_unused=True)).shapes()


@pytest.mark.parametrize("norm", NORM_KINDS.values(), ids=NORM_KINDS.keys())
def test_exactly_the_trained_parameters_get_a_gradient(norm: NormConfig) -> None:
    model = transformer(norm=norm, n_layers=2)
    params = random_parameters(model, 1)
    leaves = {name: x.requires_grad_(model.is_trained(name)) for name, x in params.items()}
    model.forward(leaves, random_tokens(1, 6, 6)).logits.square().sum().backward()
    assert {name for name, x in leaves.items() if x.grad is not None} == {
        name for name in params if model.is_trained(name)
    }
    norms = {name for name in params if "ln" in name}
    assert (norms <= {name for name in params if model.is_trained(name)}) == (
        norm.affine != "frozen" or not norms
    )
