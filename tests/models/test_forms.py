"""The last, the token and the folded form equal the full form, values and gradients."""

from typing import Any

import pytest
import torch
from torch import Tensor

from grok.metrics.attention import saturated_pattern
from grok.models.config import (
    FOLD_FROM,
    LOOK_UP_FROM,
    PLACEMENTS,
    Form,
    NormConfig,
    can_fold,
    has_tables,
    norm_config,
    training_form,
)
from grok.models.forms import attention_rows, logits, pair_tokens, tables, token_forward
from grok.models.init import initial_parameters
from grok.models.transformer import Transformer
from tests.builders import (
    EVERY_PLACEMENT,
    NORM_KINDS,
    TINY,
    VARIANTS,
    changed,
    make_stack,
    random_pairs,
    random_parameters,
    transformer,
)


def gradients(
    model: Transformer, params: dict[str, Tensor], a: Tensor, b: Tensor, form: Form
) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits, and the gradient of a random linear function of them."""
    leaves = {name: x.clone().requires_grad_() for name, x in params.items()}
    out = logits(model, leaves, a, b, form)
    generator = torch.Generator().manual_seed(2)
    direction = torch.randn(out.shape, dtype=out.dtype, generator=generator)
    grads = torch.autograd.grad((direction * out).sum(), list(leaves.values()))
    return out.detach(), dict(zip(leaves, grads, strict=True))


def relative(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def only_shifts_keys(name: str, norm: NormConfig) -> bool:
    """Whether it adds one vector to all keys: all scores of a row shift, the gradient is 0."""
    last = name.split(".", 2)[-1]
    if norm.qk_proj:
        return last == "ln_k.b"
    return last == "b_K" or (last == "ln1.b" and norm.k and not (norm.q or norm.v))


def assert_forms_are_equal(model: Transformer, n_runs: int, n_batch: int = 11) -> None:
    params = random_parameters(model, n_runs)
    a, b = random_pairs(n_runs, n_batch, model.n)
    expected, expected_grads = gradients(model, params, a, b, "full")
    exists: dict[Form, bool] = {
        "last": True,
        "token": has_tables(model.config),
        "folded": can_fold(model.config),
        "table": can_fold(model.config),
    }
    for form, does_exist in exists.items():
        if not does_exist:
            continue
        out, grads = gradients(model, params, a, b, form)
        torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
        for name, grad in grads.items():
            if only_shifts_keys(name, model.config.norm):
                torch.testing.assert_close(grad, torch.zeros_like(grad), rtol=0, atol=1e-12)
            else:
                assert relative(grad, expected_grads[name]) < 1e-12, (form, name)


@pytest.mark.parametrize("norm", EVERY_PLACEMENT, ids=lambda norm: norm.name)
def test_forms_are_equal_for_every_placement(norm: NormConfig) -> None:
    assert_forms_are_equal(transformer(norm=norm, bias_qkv=True, bias_out=True), 3)


@pytest.mark.parametrize("name", PLACEMENTS)
def test_forms_are_equal_in_a_stack_of_one(name: str) -> None:
    assert_forms_are_equal(transformer(norm=norm_config(name, eps=1e-3)), 1)


@pytest.mark.parametrize("norm", NORM_KINDS.values(), ids=NORM_KINDS.keys())
def test_forms_are_equal_for_every_kind_of_norm(norm: NormConfig) -> None:
    # A frozen norm has no gradient in training, but the forms agree on it all the same.
    assert_forms_are_equal(transformer(norm=norm), 2)


@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize("name", ["none", "attn", "qk_norm", "mlp"])
def test_forms_are_equal_for_every_option(fields: dict[str, Any], name: str) -> None:
    assert_forms_are_equal(transformer(norm=norm_config(name), **fields), 2)


@pytest.mark.parametrize("n_batch", [1, 2, 40])
def test_forms_are_equal_for_batches_of_any_size(n_batch: int) -> None:
    assert_forms_are_equal(transformer(norm=norm_config("attn")), 3, n_batch)


def test_forms_are_equal_where_factorised_attention_would_be_0_over_0() -> None:
    """Scores of hundreds: some pairs lie so far below the largest of all that exp gives 0."""
    model = transformer()
    params = random_parameters(model, 2)
    params |= {f"blocks.0.W_{name}": 30 * params[f"blocks.0.W_{name}"] for name in "QK"}
    a, b = random_pairs(2, 25, model.n)
    full, token, folded, table = (
        logits(model, params, a, b, form) for form in ("full", "token", "folded", "table")
    )
    scores = tables(model, params)
    assert torch.einsum("rqhd,rkhd->rhk", scores.q, scores.k).abs().max() > 800
    torch.testing.assert_close(token, full, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(folded, full, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(table, full, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("norm", EVERY_PLACEMENT, ids=lambda norm: norm.name)
def test_token_form_gives_every_activation_of_the_last_row(norm: NormConfig) -> None:
    model = transformer(norm=norm)
    params = random_parameters(model, 2)
    a, b = random_pairs(2, 11, model.n)
    tokens = torch.stack([a, b, torch.full_like(a, model.n)], dim=-1)
    full, token = model.forward(params, tokens), token_forward(model, params, a, b)
    torch.testing.assert_close(token.pre_logits, full.pre_logits[:, :, -1:])
    for name, ours in token.blocks[0]._asdict().items():
        theirs = getattr(full.blocks[0], name)[..., -1:, :]
        torch.testing.assert_close(ours.expand_as(theirs), theirs, msg=name)


def half_of(_: str, u: Tensor) -> Tensor:
    return u / 2


@pytest.mark.parametrize("norm", EVERY_PLACEMENT, ids=lambda norm: norm.name)
def test_the_token_form_changes_what_the_mlp_reads_as_the_full_form_does(norm: NormConfig) -> None:
    model = transformer(norm=norm, act="glu")
    params = random_parameters(model, 2)
    a, b = random_pairs(2, 11, model.n)
    tokens = pair_tokens(model, a, b)
    full = model.forward(params, tokens, mlp_read=half_of)
    token = token_forward(model, params, a, b, half_of)
    torch.testing.assert_close(token.logits, full.logits[:, :, -1:])
    unchanged = token_forward(model, params, a, b)
    torch.testing.assert_close(token.blocks[0].mlp_in, unchanged.blocks[0].mlp_in / 2)
    assert torch.equal(token.blocks[0].resid_mid, unchanged.blocks[0].resid_mid)


@pytest.mark.parametrize("fields", [{}, {"n_layers": 2}, {"norm": norm_config("pre")}], ids=str)
def test_an_mlp_that_reads_its_own_input_changes_no_bit(fields: dict[str, Any]) -> None:
    model = transformer(**fields)
    params = random_parameters(model, 2)
    a, b = random_pairs(2, 11, model.n)
    prefixes = []

    def same(prefix: str, u: Tensor) -> Tensor:
        prefixes.append(prefix)
        return u

    out = model.forward(params, pair_tokens(model, a, b), read="last", mlp_read=same).logits
    assert torch.equal(out[:, :, -1], logits(model, params, a, b, "last"))
    assert prefixes == [f"blocks.{layer}." for layer in range(model.config.n_layers)]
    if has_tables(model.config):
        out = token_forward(model, params, a, b, same).logits
        assert torch.equal(out[:, :, 0], logits(model, params, a, b, "token"))


@pytest.mark.parametrize(("q", "k"), [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize("qk_proj", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_score_tables_give_the_scores_of_all_three_rows(
    q: bool, k: bool, qk_proj: bool, causal: bool
) -> None:
    norm = NormConfig(q=q, k=k, qk_proj=qk_proj, eps=1e-3)
    model = transformer(norm=norm, causal=causal, bias_qkv=True)
    params = random_parameters(model, 3)
    a, b = random_pairs(3, 11, model.n)
    tokens = torch.stack([a, b, torch.full_like(a, model.n)], dim=-1)
    expected = model.forward(params, tokens).blocks[0].scores
    ours = attention_rows(model, params, a, b)
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)
    assert bool(ours.isneginf().any()) == causal


@pytest.mark.parametrize("norm", EVERY_PLACEMENT, ids=lambda norm: norm.name)
def test_only_a_norm_between_attention_and_logits_forbids_folding(norm: NormConfig) -> None:
    model = transformer(norm=norm)
    assert has_tables(model.config)
    assert can_fold(model.config) == (not (norm.mlp or norm.peri or norm.post or norm.final))


@pytest.mark.parametrize("fields", [{"n_layers": 2}, {"dropout": 0.1}], ids=str)
def test_depth_and_dropout_leave_only_the_last_form(fields: dict[str, Any]) -> None:
    model = transformer(**fields)
    assert not has_tables(model.config)
    assert not can_fold(model.config)
    assert training_form(model.config, 10_000) == "last"


def test_training_folds_large_batches_where_it_may() -> None:
    assert training_form(transformer().config, FOLD_FROM - 1) == "token"
    assert training_form(transformer().config, FOLD_FROM) == "folded"
    assert training_form(transformer(norm=norm_config("A*")).config, FOLD_FROM) == "folded"
    assert training_form(transformer(norm=norm_config("M")).config, FOLD_FROM) == "token"


def test_the_same_pairs_on_a_cpu_are_looked_up() -> None:
    config = transformer(d_model=2 * LOOK_UP_FROM).config
    assert training_form(config, FOLD_FROM, looks_up=True) == "table"
    assert training_form(config, FOLD_FROM - 1, looks_up=True) == "token"
    narrow = transformer(d_model=2 * LOOK_UP_FROM - 2).config
    assert training_form(narrow, FOLD_FROM, looks_up=True) == "folded"
    medium = changed(TINY, p=61, d_model=32)  # more than half of whose pairs are trained on
    for fields, form in ({}, "table"), ({"batch_size": FOLD_FROM}, "folded"):
        assert make_stack(changed(medium, **fields)).problem.form == form


def test_the_table_form_has_no_second_derivative_and_says_so() -> None:
    model = transformer()
    params = {name: p.requires_grad_() for name, p in random_parameters(model, 1).items()}
    a, b = random_pairs(1, 9, model.n)
    loss = logits(model, params, a, b, "table").square().sum()
    with pytest.raises(RuntimeError, match="first derivatives only; take the folded form"):
        torch.autograd.grad(loss, [params["W_E"]], create_graph=True)


@pytest.mark.parametrize("form", ["token", "folded", "table"])
def test_float32_forms_are_equal_to_1e_5_at_initialisation(form: Form) -> None:
    model = transformer(n=31, d_model=64, n_heads=4, d_mlp=256)
    initial = initial_parameters(model, 0)
    params = {name: x.unsqueeze(0).float() for name, x in initial.items()}
    a, b = random_pairs(1, 300, model.n)
    _, full = gradients(model, params, a, b, "full")
    _, ours = gradients(model, params, a, b, form)
    assert max(relative(ours[name], full[name]) for name in full) < 1e-5


@pytest.mark.parametrize("fields", [{}, {"causal": True}, {"norm": norm_config("pre", eps=1e-3)}])
def test_other_weights_of_attention_are_the_same_in_both_forms(fields: dict[str, Any]) -> None:
    model = transformer(**fields)
    params = random_parameters(model, 2)
    a, b = random_pairs(2, 11, 5)

    def attend(scores: Tensor) -> Tensor:
        return saturated_pattern(scores, tol=0.3)

    full = model.forward(params, pair_tokens(model, a, b), attend=attend)
    token = token_forward(model, params, a, b, attend=attend)
    torch.testing.assert_close(token.logits[:, :, 0], full.logits[:, :, -1])
    pattern = full.blocks[0].pattern
    torch.testing.assert_close(pattern, attend(full.blocks[0].scores))
    assert ((pattern == 0) | (pattern >= 1 / 3)).all()
    soft = model.forward(params, pair_tokens(model, a, b))
    same = model.forward(params, pair_tokens(model, a, b), attend=lambda s: s.softmax(dim=-1))
    assert torch.equal(soft.logits, same.logits)
    assert not torch.allclose(soft.logits, full.logits)
