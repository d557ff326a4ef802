"""Means over the pairs (a, b) of Z_p that share a + b, a - b, a or b.

Shapes: ``run`` - independent runs trained together; ``p`` - group order; ``pair`` - all p^2 pairs,
(a, b) at index a p + b; ``n`` - functions of the pair: classes, neurons. A *table* has a row for
each value of one coordinate of the pair. All is computed in float64.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Float64, Int
from torch import Tensor

Part = Literal["sum", "difference", "first", "second"]
"""A coordinate of the pair (a, b): a + b, a - b, a, b; all mod p."""


class PairMeans(NamedTuple):
    """What projections on single frequencies need of functions of the pair."""

    tables: dict[Part, Float64[Tensor, "*run p n"]]
    """Mean over the p pairs that share a coordinate."""
    variance: Float64[Tensor, "*run n"]
    """Over all pairs; 0 for a function that is the same for all."""


def order_of(x: Float[Tensor, "*run pair n"]) -> int:
    """The p of a table over all pairs.

    Raises:
        ValueError: If the number of pairs is no square.
    """
    n_pairs = x.shape[-2]
    p = round(n_pairs**0.5)
    if p * p != n_pairs:
        raise ValueError(f"{n_pairs} pairs are not all pairs of p elements")
    return p


def coordinate(p: int, part: Part, device: torch.device | None = None) -> Int[Tensor, " pair"]:
    """The coordinate of each pair."""
    pair = torch.arange(p * p, device=device)
    a, b = pair // p, pair % p
    if part == "sum":
        return (a + b) % p
    if part == "difference":
        return (a - b) % p
    return a if part == "first" else b


def sum_means(x: Float[Tensor, "*run pair n"]) -> Float64[Tensor, "*run p n"]:
    """Mean of a function over the p pairs with a + b = s mod p, for each s.

    Raises:
        ValueError: If the number of pairs is no square.
    """
    p = order_of(x)
    grid = rearrange(x, "... (a b) n -> ... a b n", a=p)
    element = torch.arange(p, device=x.device)
    a, b = element[None], (element[:, None] - element) % p
    return grid[..., a, b, :].mean(dim=-2, dtype=torch.float64)


def pair_means(x: Float[Tensor, "*run pair n"]) -> PairMeans:
    """All four tables of means and the variance, in one pass over the function.

    Row a of the table over (a, b) is added to the table of a + b moved by a places, and to that of
    b - a moved by -a. What the first pair has is taken off everywhere beforehand, so that the
    variance of a function that never changes is exactly 0.

    Args:
        x: Any functions of the pair.

    Raises:
        ValueError: If the number of pairs is no square.
    """
    p = order_of(x)
    grid = rearrange(x, "... (a b) n -> ... a b n", a=p)
    origin = grid[..., 0, :1, :].double()
    zero = torch.zeros_like(grid[..., 0, :, :], dtype=torch.float64)
    total, turned, second, squares = (zero.clone() for _ in range(4))
    first = []
    for a in range(p):
        row = grid[..., a, :, :] - origin
        first.append(row.sum(dim=-2))
        second += row
        squares += row.square()
        total[..., a:, :] += row[..., : p - a, :]
        total[..., :a, :] += row[..., p - a :, :]
        turned[..., : p - a, :] += row[..., a:, :]
        turned[..., p - a :, :] += row[..., :a, :]
    of_first = torch.stack(first, dim=-2)
    mean = of_first.sum(dim=-2) / p**2
    difference = turned[..., -torch.arange(p, device=x.device) % p, :]
    sums: dict[Part, Tensor] = {
        "sum": total,
        "difference": difference,
        "first": of_first,
        "second": second,
    }
    variance = (reduce(squares, "... b n -> ... n", "sum") / p**2 - mean.square()).clamp_min(0)
    return PairMeans({part: origin + x / p for part, x in sums.items()}, variance)


def on_pairs(
    tables: Mapping[Part, Float64[Tensor, "*run p n"]], pairs: slice = slice(None)
) -> Float64[Tensor, "*run pair n"]:
    """The sum of functions of one coordinate each, as a function of the pair.

    Args:
        tables: At least one, all of one shape.
        pairs: Those that are wanted; all by default.
    """
    found = None
    for part, table in tables.items():
        each = table[..., coordinate(table.shape[-2], part, table.device)[pairs], :]
        found = each if found is None else found + each
    assert found is not None, "there is no table"
    return found
