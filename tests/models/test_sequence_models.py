"""Networks on sequences: attention without an MLP, any vocabulary, no look-ahead."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from grok.models.config import (
    NormConfig,
    TransformerConfig,
    has_tables,
    norm_config,
    norm_fields,
)
from grok.models.forms import Form, logits
from grok.models.init import initial_parameters
from grok.models.shapes import Tokens
from grok.models.transformer import Transformer
from tests.builders import random_pairs, random_parameters, transformer
from tests.plain import PlainTransformer, plain_name

READS = Tokens(vocab=7, n_ctx=9, n_classes=4)
OPTIONS: dict[str, dict[str, Any]] = {
    "one layer": {},
    "two layers": {"n_layers": 2},
    "attention alone": {"n_layers": 2, "attn_only": True},
    "attention alone, tied": {"attn_only": True, "tied": True, "bias_out": True},
    "attention alone, normed": {
        "attn_only": True,
        "norm": NormConfig(q=True, v=True, peri=True, post=True, final=True, eps=1e-3),
    },
    "everything": {"act": "glu", "bias_qkv": True, "norm": norm_config("peri", eps=1e-3)},
    "no positions": {"positions": "none", "n_layers": 2},
}
ALL_BIASES = dict.fromkeys(("bias_qkv", "bias_out", "bias_mlp", "bias_unembed"), True)

of_each_option = pytest.mark.parametrize("fields", OPTIONS.values(), ids=OPTIONS.keys())


def network(**fields: Any) -> Transformer:
    sizes: dict[str, Any] = {"d_model": 8, "n_heads": 2, "d_mlp": 12, "causal": True}
    return Transformer(TransformerConfig(**(sizes | fields)), READS)


def sequences(n_pos: int, n_runs: int = 2, n_batch: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(READS.vocab, (n_runs, n_batch, n_pos), generator=generator)


@of_each_option
@pytest.mark.parametrize("n_pos", [1, 6, 9])
def test_logits_on_sequences_of_any_length_are_those_of_plain_torch(
    fields: dict[str, Any], n_pos: int
) -> None:
    model, tokens = network(**fields), sequences(n_pos)
    params = random_parameters(model, 2)
    ours = model.forward(params, tokens)
    for run in range(2):
        plain = PlainTransformer(model.config, READS)
        plain.load({name: x[run] for name, x in params.items()})
        theirs = plain(tokens[run])
        torch.testing.assert_close(ours.logits[run], theirs.logits)
        for block, pattern in zip(ours.blocks, theirs.patterns, strict=True):
            torch.testing.assert_close(block.pattern[run], pattern)


@pytest.mark.parametrize("name", ["none", "pre_ln_final", "post_ln", "sublayer_ln"])
@pytest.mark.parametrize("biases", [ALL_BIASES, {"bias_mlp": False}], ids=["biases", "no bias"])
@pytest.mark.parametrize("act", ["relu", "gelu"])
def test_language_models_and_their_gradients_are_those_of_plain_torch(
    name: str, biases: dict[str, bool], act: str
) -> None:
    norm = NormConfig(**norm_fields(name))
    model, tokens = network(n_layers=2, act=act, norm=norm, **biases), sequences(9, n_runs=1)
    params = {k: x.requires_grad_() for k, x in random_parameters(model, 1).items()}
    plain = PlainTransformer(model.config, READS).load({k: x[0] for k, x in params.items()})
    weights = torch.randn(5, 9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ours, theirs = model.forward(params, tokens).logits[0], plain(tokens[0]).logits
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    for logits_, leaves in ((ours, params), (theirs, dict(plain.named_parameters()))):
        (weights * logits_.softmax(dim=-1)).sum().backward()
        assert all(leaf.grad is not None for leaf in leaves.values())
    assert params.keys() == model.shapes().keys()
    for k, x in params.items():
        expected = plain.get_parameter(plain_name(k)).grad
        assert expected is not None
        torch.testing.assert_close(x.grad, expected.unsqueeze(0), rtol=1e-12, atol=1e-12, msg=k)


def test_without_positions_a_mean_of_values_cannot_tell_the_order_of_earlier_tokens() -> None:
    model, tokens = network(positions="none"), sequences(9)
    params = random_parameters(model, 2)
    assert "W_pos" not in model.shapes()
    turned = torch.cat([tokens[..., :8].flip(-1), tokens[..., 8:]], dim=-1)
    last, other = (model.forward(params, x).logits[:, :, -1] for x in (tokens, turned))
    torch.testing.assert_close(last, other)
    placed = network()
    params = random_parameters(placed, 2)
    last, other = (placed.forward(params, x).logits[:, :, -1] for x in (tokens, turned))
    assert not torch.allclose(last, other)


def test_attention_alone_is_a_chain_of_torchs_multi_head_attention() -> None:
    model, tokens = network(n_layers=2, attn_only=True), sequences(9, n_runs=1)
    params = random_parameters(model, 1)
    p = {name: x[0] for name, x in params.items()}
    x = p["W_E"][tokens[0]] + p["W_pos"]
    future = torch.ones(9, 9, dtype=torch.bool).triu(1)
    for layer in range(2):
        theirs = nn.MultiheadAttention(8, 2, bias=False, batch_first=True).double()
        W = {name: p[f"blocks.{layer}.W_{name}"] for name in "QKVO"}
        packed = torch.cat([W["Q"], W["K"], W["V"]])
        theirs.load_state_dict({"in_proj_weight": packed, "out_proj.weight": W["O"]})
        x = x + theirs(x, x, x, attn_mask=future, need_weights=False)[0]
    torch.testing.assert_close(model.forward(params, tokens).logits[0], x @ p["W_U"].T)


@of_each_option
@pytest.mark.parametrize("position", range(9))
def test_a_later_token_never_changes_an_earlier_logit(
    fields: dict[str, Any], position: int
) -> None:
    model, tokens = network(**fields), sequences(9)
    params, later = random_parameters(model, 2), tokens.clone()
    later[..., position] = (later[..., position] + 1) % READS.vocab
    before, after = (model.forward(params, t).logits for t in (tokens, later))
    assert torch.equal(before[:, :, :position], after[:, :, :position])
    assert not torch.allclose(before[:, :, position], after[:, :, position])


@of_each_option
@pytest.mark.parametrize("n_read", [1, 4, 9, 20])
def test_reading_only_some_last_rows_gives_these_rows(fields: dict[str, Any], n_read: int) -> None:
    model, tokens = network(**fields), sequences(9)
    params = random_parameters(model, 2)
    whole, part = model.forward(params, tokens), model.forward(params, tokens, read=n_read)
    torch.testing.assert_close(part.logits, whole.logits[:, :, -n_read:])
    torch.testing.assert_close(part.blocks[-1].pattern, whole.blocks[-1].pattern[..., -n_read:, :])


def test_a_block_without_an_mlp_has_no_neurons_and_adds_attention_alone() -> None:
    model = network(attn_only=True)
    block = model.forward(random_parameters(model, 2), sequences(6)).blocks[0]
    torch.testing.assert_close(block.resid_post, block.resid_pre + block.attn_out)
    assert not block.mlp_out.any()
    assert block.mlp_pre.shape == block.mlp_post.shape == (2, 5, 6, 0)
    names = ("W_Q", "W_K", "W_V", "W_O")
    assert set(model.shapes()) == {"W_E", "W_pos", "W_U"} | {f"blocks.0.{name}" for name in names}


def test_sizes_are_those_of_what_is_read() -> None:
    shapes = network().shapes()
    assert (shapes["W_E"], shapes["W_pos"], shapes["W_U"]) == ((7, 8), (9, 8), (4, 8))
    pairs = transformer(n=5).shapes()
    assert (pairs["W_E"], pairs["W_pos"], pairs["W_U"]) == ((6, 8), (3, 8), (6, 8))


def test_the_unembedding_of_nanda_is_drawn_by_the_number_of_classes() -> None:
    model = Transformer(TransformerConfig(init="nanda"), Tokens(500, 3, 100))
    W_U = initial_parameters(model, 0)["W_U"]
    # 12800 draws: the standard error of the deviation is 0.6 %.
    assert W_U.std().item() == pytest.approx(100**-0.5, rel=0.03)


def test_a_norm_before_an_mlp_that_is_not_there_is_refused() -> None:
    expected = r"^model.norm=mlp normalises what the MLP reads, which model.attn_only=true has not$"
    with pytest.raises(ValueError, match=expected):
        TransformerConfig(attn_only=True, norm=norm_config("mlp"))


@pytest.mark.parametrize("form", ["last", "token"])
@pytest.mark.parametrize("name", ["none", "attn", "post", "qk_norm"])
def test_pairs_have_every_form_but_the_folded_one_without_an_mlp(form: Form, name: str) -> None:
    model = transformer(norm=norm_config(name, eps=1e-3), attn_only=True)
    assert has_tables(model.config)
    params, (a, b) = random_parameters(model, 2), random_pairs(2, 11, model.n)
    expected = logits(model, params, a, b, "full")
    torch.testing.assert_close(logits(model, params, a, b, form), expected)
