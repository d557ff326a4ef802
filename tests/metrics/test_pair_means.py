"""Means over pairs that share a coordinate, against the means written out pair by pair."""

import pytest
import torch
from torch import Tensor

from grok.metrics.pair_means import Part, coordinate, on_pairs, pair_means, sum_means

ORDERS = (1, 4, 7)
PARTS: tuple[Part, ...] = ("sum", "difference", "first", "second")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def coordinate_of(part: Part, a: int, b: int, p: int) -> int:
    return {"sum": (a + b) % p, "difference": (a - b) % p, "first": a, "second": b}[part]


@pytest.mark.parametrize("p", ORDERS)
def test_each_table_has_the_means_of_its_coordinate(p: int) -> None:
    x = draw(p * p, 3)
    means = pair_means(x)
    for part in PARTS:
        groups: list[list[Tensor]] = [[] for _ in range(p)]
        for a in range(p):
            for b in range(p):
                groups[coordinate_of(part, a, b, p)].append(x[a * p + b])
        expected = torch.stack([torch.stack(group).mean(dim=0) for group in groups])
        torch.testing.assert_close(means.tables[part], expected, msg=part)
    torch.testing.assert_close(means.tables["sum"], sum_means(x))
    torch.testing.assert_close(means.variance, x.var(dim=0, correction=0))


@pytest.mark.parametrize("p", ORDERS)
def test_a_sum_of_tables_is_a_function_of_the_pair(p: int) -> None:
    tables: dict[Part, Tensor] = {part: draw(p, 2, seed=i) for i, part in enumerate(PARTS)}
    found = on_pairs(tables)
    for a in range(p):
        for b in range(p):
            rows = [tables[part][coordinate_of(part, a, b, p)] for part in PARTS]
            torch.testing.assert_close(found[a * p + b], torch.stack(rows).sum(dim=0))
    for part in PARTS:
        torch.testing.assert_close(
            on_pairs({part: torch.arange(p)[:, None].double()})[:, 0],
            coordinate(p, part).double(),
        )


def test_single_precision_is_summed_in_double() -> None:
    x = 1000 + draw(49, 3).float()
    means, expected = pair_means(x), pair_means(x.double())
    torch.testing.assert_close(means.tables, expected.tables)
    torch.testing.assert_close(means.variance, expected.variance)
    torch.testing.assert_close(expected.variance, x.double().var(dim=0, correction=0))


def test_what_never_changes_has_no_variance() -> None:
    assert torch.all(pair_means(torch.full((49, 2), 0.1)).variance == 0)
