"""The *table* form: what neurons and classes receive from a pair, looked up and never multiplied.

Where the folded form exists, the input of the MLP and the direct part of the logits are sums over
keys and heads of a weight of attention times a row that depends on token, position and head alone.
These rows, W_in W_O and W_U W_O times the values, are one table of 2 n H rows; a pair mixes 2 H of
them. The sum is a lookup in both directions: a pair gathers its rows, and the gradient of a row
gathers the pairs that read it, so that two of the three products of the folded form with a row per
pair are gone. The terms of a sum are added in another order, and nothing else changes.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from grok.models.layers import linear


@dataclass(frozen=True)
class Places:
    """Which rows of the table every pair reads, and which pairs read every row.

    Rows of all runs are one table, ordered by run, key, head: key t is token t at position 0, key
    n + t token t at position 1. Pairs of all runs are numbered through.
    """

    rows: Int[Tensor, "pair place"]
    """Of each pair, by position and head: ascending."""
    order: Int[Tensor, " entry"]
    """Entries of the flat ``rows`` by the row they read."""
    pairs: Int[Tensor, " entry"]
    """The pairs of these entries."""
    starts: Int[Tensor, " row"]
    """Where the entries of each row begin."""
    grid: Tensor
    """Zeros at the entries, as a sparse matrix ``[pair, row]``."""


def places(
    n: int, n_heads: int, a: Int[Tensor, "run batch"], b: Int[Tensor, "run batch"]
) -> Places:
    """Where the pairs (a, b) of n tokens look."""
    n_runs, device = len(a), a.device
    head = torch.arange(n_heads, device=device)
    of_run = 2 * n * n_heads * torch.arange(n_runs, device=device).view(-1, 1, 1)
    keys = torch.stack([a, b + n], dim=-1)
    entry = of_run.unsqueeze(-1) + n_heads * keys.unsqueeze(-1) + head
    rows = rearrange(entry, "run batch key head -> (run batch) (key head)")
    flat, n_rows, width = rows.flatten(), n_runs * 2 * n * n_heads, rows.shape[1]
    order = flat.argsort(stable=True)
    ends = flat.bincount(minlength=n_rows).cumsum(0)
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch: its sparse matrices may still change
        grid = torch.sparse_csr_tensor(
            torch.arange(0, len(flat) + 1, width, device=device),
            flat,
            torch.zeros(len(flat), device=device),
            (len(rows), n_rows),
        )
    return Places(rows, order, order // width, starts, grid)


class _Mixture(torch.autograd.Function):
    """Rows of a table, mixed by each pair's weights, and a constant of its run."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, weight: Tensor, constant: Tensor, where: Places) -> Tensor:
        ctx.save_for_backward(table, weight)
        ctx.where = where
        mix = F.embedding_bag(where.rows, table, per_sample_weights=weight, mode="sum")
        return mix.unflatten(0, (len(constant), -1)).add_(constant.unsqueeze(1))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        if torch.is_grad_enabled():  # torch would leave a part of the second derivative out
            raise RuntimeError("the table form has first derivatives only; take the folded form")
        table, weight = ctx.saved_tensors
        where: Places = ctx.where
        grad = grads[0].flatten(0, 1).contiguous()
        grid = where.grid.to(grad.dtype)
        of_weight = torch.sparse.sampled_addmm(grid, grad, table.mT, beta=0.0).values()
        of_entry = weight.flatten()[where.order]
        of_table = F.embedding_bag(
            where.pairs, grad, where.starts, per_sample_weights=of_entry, mode="sum"
        )
        return of_table, of_weight.view_as(weight), grads[0].sum(dim=1), None


def mixed_products(
    values: Float[Tensor, "run row head d_head"],
    pattern: Float[Tensor, "run batch key head"],
    where: Places,
    W: Float[Tensor, "run out d_model"],
    bias: Float[Tensor, "run out"] | None,
) -> Float[Tensor, "run batch out"]:
    """``linear(z, W, bias)``, z being the values mixed by a pattern whose weights sum to 1.

    Args:
        values: By token and position, the last row of ``=``.
        pattern: Weights of the keys a, b and ``=``.
        where: What the pairs look up.
        W: Whatever multiplies z.
        bias: Added to every pair's product.

    Raises:
        RuntimeError: In a backward pass that is to be differentiated.
    """
    n_heads = values.shape[2]
    # The weights sum to 1, so the value at "=" can be subtracted from the table beforehand.
    constant = linear(rearrange(values[:, -1], "run head d -> run (head d)"), W, bias)
    relative = rearrange(values[:, :-1] - values[:, -1:], "run row head d -> run head row d")
    by_head = rearrange(W, "run out (head d) -> run head d out", head=n_heads)
    table = rearrange(relative @ by_head, "run head row out -> (run row head) out")
    weight = rearrange(pattern[:, :, :2], "run batch key head -> (run batch) (key head)")
    return _Mixture.apply(table, weight, constant, where)  # type: ignore[return-value]
