"""Attention patterns as images: every pixel is the weight it stands for."""

import torch
from torch import Tensor

from grok.measures.attention import grey, mean_map, pair_map


def some_pattern(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, dtype=torch.float64, generator=generator).softmax(dim=-1)


def test_the_map_of_pairs_has_a_block_per_head_and_operand_with_a_down_and_b_across() -> None:
    n, n_runs, n_heads = 3, 2, 2
    pairs = [(a, b) for a in range(n) for b in range(1, n)]  # a / b is on no pair (a, 0)
    # Each run in an order of its own.
    orders = [pairs, pairs[::-1]]
    a, b = torch.tensor(orders).unbind(dim=-1)
    pattern = some_pattern(n_runs, len(pairs), n_heads, 3, 3)
    found = pair_map(pattern, a, b, n)
    expected = torch.zeros(n_runs, 2 * (n + 1), n_heads * (n + 1), dtype=torch.float64)
    for run, order in enumerate(orders):
        for at, (left, right) in enumerate(order):
            for head in range(n_heads):
                for key in range(2):
                    row, col = key * (n + 1) + left, head * (n + 1) + right
                    expected[run, row, col] = pattern[run, at, head, 2, key]
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_the_mean_map_is_over_examples_without_rows_of_padding() -> None:
    pattern = some_pattern(1, 2, 2, 3, 3)
    pattern[0, 1, :, 2] = torch.nan
    (found,) = mean_map(pattern)
    assert found.shape == (3, 2 * 4)
    for head in range(2):
        block = found[:, 4 * head : 4 * head + 4]
        first, second = pattern[0, :, head]
        torch.testing.assert_close(block[:2, :3], (first[:2] + second[:2]) / 2)
        torch.testing.assert_close(block[2, :3], first[2])
        assert (block[:, 3] == 0).all()


def test_shades_are_256_and_what_is_no_number_is_black() -> None:
    x = torch.tensor([0.0, 0.5, 1.0, 1.0001, 1 / 255, torch.nan])
    assert grey(x).tolist() == [0, 128, 255, 255, 1, 0]
