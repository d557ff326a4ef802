import math

import torch

from grok.metrics.norms import l2_norm


def test_the_norm_of_equal_entries_is_entry_times_root_of_their_number() -> None:
    norm = l2_norm(torch.full((3, 49), 2.0))
    torch.testing.assert_close(norm, torch.full((3,), 14.0, dtype=torch.float64))


def test_float32_entries_are_accumulated_in_float64() -> None:
    # A float32 sum of squares starts at 2**24 and stays there: each 1 is below half a unit.
    x = torch.ones(1000)
    x[0] = 2.0**12
    expected = torch.tensor(math.sqrt(2**24 + 999), dtype=torch.float64)
    torch.testing.assert_close(l2_norm(x), expected, rtol=1e-15, atol=0.0)


def test_the_square_of_a_large_entry_does_not_overflow() -> None:
    assert l2_norm(torch.tensor([2.0**100, 0.0])) == 2.0**100


def test_the_norm_of_parts_is_the_norm_of_their_norms() -> None:
    x = torch.randn(2, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    parts = torch.stack([l2_norm(part) for part in x.split([7, 20, 3], dim=-1)], dim=-1)
    torch.testing.assert_close(l2_norm(parts), l2_norm(x))


def test_an_empty_vector_has_norm_zero() -> None:
    assert l2_norm(torch.zeros(0)) == 0
