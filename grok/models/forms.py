"""Cheaper forms of the one-layer transformer, exactly equal to the full form.

Only the ``=`` row is read, and in one layer three facts follow. (1) The stream at ``=`` before
the block, e = W_E[n] + W_pos[2], is one vector, so its query is one vector. (2) Keys and values
are functions of token and position: 2n + 1 rows instead of 3 per pair. (3) One query row, one
MLP and one unembedding per pair are enough; a causal mask changes nothing in the last row.

*Token form*: tables of scores and values by (token, position), gathered per pair, then the
rest of the block for one row. Every placement allows it. *Folded form*: where nothing
nonlinear stands between two linear maps they multiply first, W_in W_O, W_U W_O and
W_U W_out; it returns logits only, and pays on large batches. *Table form*: the same, with its first
products looked up (:mod:`~grok.models.table_form`). *Last form*, for deeper networks and
dropout: the full form with the last block restricted to its last row.
"""

from functools import partial
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from jaxtyping import Float, Int
from torch import Tensor

from grok.models.config import Form
from grok.models.layers import activation, attention_scale, linear, split_heads
from grok.models.table_form import Places, mixed_products, places
from grok.models.transformer import (
    Activations,
    Attend,
    Dropout,
    MlpRead,
    Parameters,
    Transformer,
)

_BLOCK = "blocks.0."


class Tables(NamedTuple):
    """Row t is token t at position 0, row n + t token t at position 1, row 2n is ``=``."""

    q: Float[Tensor, "run row head d_head"]
    k: Float[Tensor, "run row head d_head"]
    v: Float[Tensor, "run row head d_head"]
    e: Float[Tensor, "run d_model"]


def logits(
    model: Transformer,
    params: Parameters,
    a: Int[Tensor, "run batch"],
    b: Int[Tensor, "run batch"],
    form: Form,
    drop: Dropout | None = None,
    where: Places | None = None,
) -> Float[Tensor, "run batch cls"]:
    """Logits at ``=`` of the pairs (a, b), by the form asked for.

    ``where`` saves the table form what it would find out about the pairs; its logits have first
    derivatives only.
    """
    if form == "table":
        where = where or places(model.n, model.config.n_heads, a, b)
    if form in ("folded", "table"):
        return _folded_logits(model, params, a, b, where)
    if form == "token":
        return token_forward(model, params, a, b).logits[:, :, 0]
    tokens = pair_tokens(model, a, b)
    read = "last" if form == "last" else "all"
    return model.forward(params, tokens, read=read, drop=drop).logits[:, :, -1]


def pair_tokens(
    model: Transformer, a: Int[Tensor, "run batch"], b: Int[Tensor, "run batch"]
) -> Int[Tensor, "run batch 3"]:
    """The input ``a b =`` of the full form."""
    return torch.stack([a, b, torch.full_like(a, model.n)], dim=-1)


def tables(model: Transformer, params: Parameters, rows: Literal["=", "all"] = "=") -> Tables:
    """Queries, keys and values by token and position.

    Args:
        model: A one-layer transformer.
        params: Its stacked parameters.
        rows: Rows whose queries are computed; only the patterns of other rows need ``all``.
    """
    norm, n_heads = model.config.norm, model.config.n_heads
    W_E, W_pos = params["W_E"], params["W_pos"]
    number, e = W_E[:, :-1], W_E[:, -1] + W_pos[:, 2]
    x = torch.cat([number + W_pos[:, :1], number + W_pos[:, 1:2], e.unsqueeze(1)], dim=1)
    x_q = x if rows == "all" else x[:, -1:]
    q = split_heads(model.project(params, _BLOCK, "Q", x_q, norm.q), n_heads)
    k = split_heads(model.project(params, _BLOCK, "K", x, norm.k), n_heads)
    v = split_heads(model.project(params, _BLOCK, "V", x, norm.v), n_heads)
    if norm.qk_proj:
        q, k = model.norm(params, _BLOCK + "ln_q", q), model.norm(params, _BLOCK + "ln_k", k)
    return Tables(q, k, v, e)


def _gather(
    table: Float[Tensor, "run row *rest"], rows: Int[Tensor, "run batch"]
) -> Float[Tensor, "run batch *rest"]:
    """Rows of each run's own table."""
    n_run, n_row = table.shape[:2]
    if n_run > 1:
        rows = rows + n_row * torch.arange(n_run, device=rows.device).unsqueeze(1)
    flat = table.reshape(n_run * n_row, -1)
    return F.embedding(rows, flat).unflatten(-1, table.shape[2:])


def token_scores(
    model: Transformer, t: Tables, a: Int[Tensor, "run batch"], b: Int[Tensor, "run batch"]
) -> Float[Tensor, "run batch key head"]:
    """Scores of the ``=`` row of each pair."""
    score = attention_scale(model.config.d_head) * einsum(
        t.q[:, -1], t.k, "run head d, run row head d -> run row head"
    )
    of_equals = score[:, -1:].expand(-1, a.shape[1], -1)
    return torch.stack([_gather(score, a), _gather(score, b + model.n), of_equals], dim=2)


def mixed(
    model: Transformer,
    t: Tables,
    a: Int[Tensor, "run batch"],
    b: Int[Tensor, "run batch"],
    pattern: Float[Tensor, "run batch key head"],
) -> Float[Tensor, "run batch d_model"]:
    """Values of each pair mixed by a pattern whose weights sum to 1, head by head."""
    weight = pattern.unsqueeze(-1)
    # The weights sum to 1, so the value at "=" can be subtracted from the table beforehand.
    v_equals = t.v[:, -1:]
    relative = t.v[:, :-1] - v_equals
    z = (
        v_equals
        + weight[:, :, 0] * _gather(relative, a)
        + weight[:, :, 1] * _gather(relative, b + model.n)
    )
    return rearrange(z, "run batch head d -> run batch (head d)")


class _Mix(NamedTuple):
    scores: Float[Tensor, "run batch key head"]
    pattern: Float[Tensor, "run batch key head"]
    z: Float[Tensor, "run batch d_model"]


def _mix(model: Transformer, t: Tables, a: Tensor, b: Tensor, attend: Attend | None = None) -> _Mix:
    """Attention of the ``=`` row of each pair.

    The softmax is taken per pair: factorised into a part of a and a part of b it would be 0/0
    for pairs whose scores lie far below the largest of all tokens.
    """
    scores = token_scores(model, t, a, b)
    pattern = attend(scores.mT).mT if attend else scores.softmax(dim=2)
    return _Mix(scores, pattern, mixed(model, t, a, b, pattern))


def token_forward(
    model: Transformer,
    params: Parameters,
    a: Int[Tensor, "run batch"],
    b: Int[Tensor, "run batch"],
    mlp_read: MlpRead | None = None,
    attend: Attend | None = None,
) -> Activations:
    """The token form: every activation of the ``=`` row, as a query axis of length 1.

    ``mlp_read`` changes what the MLP reads; None leaves it. ``attend`` gives the weights of
    attention from its scores; None is softmax.
    """
    t = tables(model, params)
    mix = _mix(model, t, a, b, attend)
    block = model.after_attention(
        params,
        _BLOCK,
        rearrange(t.e, "run d_model -> run 1 1 d_model"),
        rearrange(mix.scores, "run batch key head -> run batch head 1 key"),
        rearrange(mix.pattern, "run batch key head -> run batch head 1 key"),
        rearrange(mix.z, "run batch d_model -> run batch 1 d_model"),
        mlp_read=mlp_read,
    )
    return model.readout(params, (block,))


def _folded_logits(
    model: Transformer, params: Parameters, a: Tensor, b: Tensor, where: Places | None
) -> Float[Tensor, "run batch cls"]:
    """The folded form; with places, the table form.

    The products are part of the graph, nothing is detached or cached.
    """
    t = tables(model, params)
    if where is None:
        of_z = partial(linear, _mix(model, t, a, b).z)
    else:
        pattern = token_scores(model, t, a, b).softmax(dim=2)
        of_z = partial(mixed_products, t.v, pattern, where)
    p = {name.removeprefix(_BLOCK): tensor for name, tensor in params.items()}
    W_O, W_U = p["W_O"], model.unembedding(params)
    skip = t.e if p.get("b_O") is None else t.e + p["b_O"]

    def read(name: str) -> Tensor:
        bias = linear(skip, p[f"W_{name}"], p.get(f"b_{name}"))
        return of_z(p[f"W_{name}"] @ W_O, bias)

    gate = read("gate") if model.config.act == "glu" else None
    neurons = activation(read("in"), gate, model.config.act)
    constant = linear(skip if p.get("b_out") is None else skip + p["b_out"], W_U, p.get("b_U"))
    return of_z(W_U @ W_O, constant) + linear(neurons, W_U @ p["W_out"])


def attention_rows(
    model: Transformer,
    params: Parameters,
    a: Int[Tensor, "run batch"],
    b: Int[Tensor, "run batch"],
) -> Float[Tensor, "run batch head query key"]:
    """Scores of all three query rows, from tables of query-key products.

    Row 0 of a pair reads S[a; a, b, =], row 1 S[b; a, b, =], row 2 S[=; a, b, =]; masked
    entries are -inf.
    """
    n, t = model.n, tables(model, params, rows="all")
    S = attention_scale(model.config.d_head) * einsum(
        t.q, t.k, "run query head d, run key head d -> run query key head"
    )
    flat = rearrange(S, "run query key head -> run (query key) head")
    rows = torch.stack([a, b + n, torch.full_like(a, 2 * n)], dim=-1)
    entry = (2 * n + 1) * rows.unsqueeze(-1) + rows.unsqueeze(-2)
    picked = _gather(flat, rearrange(entry, "run batch query key -> run (batch query key)"))
    scores = rearrange(
        picked, "run (batch query key) head -> run batch head query key", query=3, key=3
    )
    if not model.config.causal:
        return scores
    future = torch.ones(3, 3, dtype=torch.bool, device=scores.device).triu(1)
    return scores.masked_fill(future, -torch.inf)
