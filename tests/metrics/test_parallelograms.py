import itertools
import math

import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from grok.groups import group
from grok.metrics.parallelograms import (
    PRIME,
    ideal_accuracy,
    ideal_rqi,
    ideal_validation_accuracy,
    in_training,
    integer_rank,
    is_implied,
    nullity,
    reached,
)
from grok.metrics.samples import (
    Samples,
    addition_samples,
    group_samples,
    modular_samples,
    samples_of,
    unordered_pairs,
)

P10 = addition_samples(10)


def training_set(n: int, samples: Samples, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.zeros(len(samples.labels), dtype=torch.bool)
    mask[torch.randperm(len(mask), generator=generator)[:n]] = True
    return mask


def rational_nullity(mask: Tensor, samples: Samples) -> int:
    """From every equation of the training set, by exact fractions."""
    rows = samples.rows[in_training(mask, samples)].tolist()
    return samples.p - (sympy.Matrix(rows).rank() if rows else 0)


def test_pairs_come_row_by_row() -> None:
    expected = [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]]
    assert unordered_pairs(3).tolist() == expected


def test_a_task_without_symbols_is_refused() -> None:
    with pytest.raises(ValueError, match="p must be at least 1, got 0"):
        unordered_pairs(0)


@pytest.mark.parametrize("p", [3, 4, 5, 10, 17])
def test_parallelograms_are_all_pairs_of_distinct_samples_with_one_sum(p: int) -> None:
    samples = addition_samples(p)
    sizes = [min(s, 2 * p - 2 - s) // 2 + 1 for s in range(2 * p - 1)]
    assert len(samples.rows) == sum(math.comb(size, 2) for size in sizes)
    first, second = samples.parallelograms.unbind(dim=1)
    assert (first < second).all()
    assert (samples.pairs[first].sum(dim=1) == samples.pairs[second].sum(dim=1)).all()
    assert len(samples.parallelograms.unique(dim=0)) == len(samples.rows)


def test_equations_hold_on_every_line_and_name_each_symbol() -> None:
    line = 3 + 2 * torch.arange(10)
    assert (P10.rows @ line == 0).all()
    counts = torch.zeros(10, dtype=torch.long)
    i, j = P10.pairs[P10.parallelograms[5, 0]]
    m, n = P10.pairs[P10.parallelograms[5, 1]]
    for symbol, sign in ((i, 1), (j, 1), (m, -1), (n, -1)):
        counts[symbol] += sign
    assert P10.rows[5].tolist() == counts.tolist()
    assert (P10.rows.abs().sum(dim=1) == 4).all()


def test_labels_of_addition_mod_p_wrap() -> None:
    samples = modular_samples(7)
    assert len(samples.rows) == 7 * math.comb(4, 2)  # each residue has (p + 1) / 2 unordered pairs
    whole = torch.ones(len(samples.labels), dtype=torch.bool)
    assert int(nullity(whole, samples)) == 1


def test_products_of_a_group_are_counted_by_element() -> None:
    samples = group_samples("S3")
    assert len(samples.rows) == 6 * math.comb(6, 2)
    table = group("S3").table
    assert all(
        table[a, b] == label
        for (a, b), label in zip(samples.pairs.tolist(), samples.labels.tolist(), strict=True)
    )


@given(st.lists(st.lists(st.integers(-3, 3), min_size=4, max_size=4), min_size=1, max_size=6))
def test_rank_is_the_rational_one(rows: list[list[int]]) -> None:
    assert int(integer_rank(torch.tensor(rows))) == sympy.Matrix(rows).rank()


def test_rank_has_no_tolerance() -> None:
    """A difference of one part in a million squared would be lost in a Gram matrix."""
    rows = torch.tensor([[10**6, 10**6 + 1], [10**6 - 1, 10**6]])
    assert torch.linalg.eigvalsh((rows.T @ rows).double())[0] < 1e-3
    assert int(integer_rank(rows)) == 2
    assert int(integer_rank(torch.tensor([[PRIME - 1, 2], [1, -2]]))) == 1  # -1 mod the prime


@pytest.mark.parametrize("n", [5, 14, 20, 23, 30, 55])
@pytest.mark.parametrize("seed", range(4))
def test_nullity_is_the_rational_one(n: int, seed: int) -> None:
    mask = training_set(n, P10, seed)
    assert int(nullity(mask, P10)) == rational_nullity(mask, P10)


def test_nullity_is_exact_at_sixty_symbols() -> None:
    samples = addition_samples(60)
    assert int(nullity(torch.ones(len(samples.labels), dtype=torch.bool), samples)) == 2
    chain = torch.tensor([abs(int(i - j)) in (0, 2) for i, j in samples.pairs])
    assert int(nullity(chain, samples)) == 2  # E_k + E_k = E_(k-1) + E_(k+1), and no more
    broken = chain.clone()
    broken[(samples.pairs == 30).all(dim=1)] = False
    assert int(nullity(broken, samples)) == 3  # two lines that share the symbols 29 and 31 oddly


@pytest.mark.parametrize("n", [14, 20, 23, 45])
@pytest.mark.parametrize("seed", range(3))
def test_implied_ones_are_those_that_do_not_raise_the_rank(n: int, seed: int) -> None:
    mask = training_set(n, P10, seed)
    rows = P10.rows[in_training(mask, P10)]
    rank = int(integer_rank(rows))
    for row, found in zip(P10.rows, is_implied(mask, P10), strict=True):
        assert (int(integer_rank(torch.cat([rows, row[None]]))) == rank) == found


@pytest.mark.parametrize("samples", [P10, modular_samples(9)], ids=["addition", "mod 9"])
def test_the_training_set_is_implied_and_the_whole_follows_from_the_least_nullity(
    samples: Samples,
) -> None:
    whole = int(nullity(torch.ones(len(samples.labels), dtype=torch.bool), samples))
    for seed in range(20):
        mask = training_set(24, samples, seed)
        implied = is_implied(mask, samples)
        assert (implied | ~in_training(mask, samples)).all()
        assert bool(implied.all()) == (int(nullity(mask, samples)) == whole)


@pytest.mark.parametrize("seed", range(5))
def test_what_an_added_sample_brings_is_never_lost(seed: int) -> None:
    order = torch.randperm(55, generator=torch.Generator().manual_seed(seed))
    masks = order.argsort() < torch.arange(1, 56)[:, None]
    assert (nullity(masks, P10).diff() <= 0).all()
    assert (ideal_rqi(masks, P10).diff() >= 0).all()
    assert (ideal_accuracy(masks, P10).diff() >= 0).all()
    assert ideal_accuracy(masks, P10)[-1] == 1


def test_one_hop_and_no_more_is_reached() -> None:
    """Four samples of one label, of which the first is trained, in a chain of parallelograms."""
    pairs = torch.tensor([[0, 3], [1, 2], [4, 5], [6, 7]])
    samples = samples_of(pairs, torch.zeros(4, dtype=torch.long))
    links = samples.parallelograms.tolist()
    chain = torch.tensor([tuple(link) in {(0, 1), (1, 2), (2, 3)} for link in links])
    for trained in range(4):
        mask = torch.arange(4) == trained
        expected = [abs(k - trained) <= 1 for k in range(4)]
        assert reached(chain, mask, samples).tolist() == expected


@pytest.mark.parametrize("seed", range(5))
def test_ideal_accuracies_are_shares_of_the_samples_reached(seed: int) -> None:
    mask = training_set(22, P10, seed)
    links = set(map(tuple, P10.parallelograms[is_implied(mask, P10)].tolist()))
    trained = {k for k in range(55) if mask[k]}
    right = trained | {
        k for k in range(55) if any((min(k, m), max(k, m)) in links for m in trained)
    }
    assert ideal_rqi(mask, P10) == len(links) / 70
    assert ideal_accuracy(mask, P10) == len(right) / 55
    assert ideal_validation_accuracy(mask, P10) == len(right - trained) / 33


def test_a_forced_line_misses_exactly_the_labels_that_are_never_trained() -> None:
    for seed in range(20):
        mask = training_set(45, P10, seed)
        assert int(nullity(mask, P10)) == 2
        is_seen = torch.isin(P10.labels, P10.labels[mask])
        right = reached(is_implied(mask, P10), mask, P10)
        assert (right == is_seen).all()


def test_without_validation_samples_their_accuracy_is_not_a_number() -> None:
    whole = torch.ones(55, dtype=torch.bool)
    assert ideal_validation_accuracy(whole, P10).isnan()
    assert ideal_rqi(torch.ones(3, dtype=torch.bool), addition_samples(2)).isnan()


def test_the_example_of_appendix_c() -> None:
    samples = addition_samples(6)
    place = {tuple(pair): k for k, pair in enumerate(samples.pairs.tolist())}
    steps = [[(0, 4), (1, 3)], [(1, 5), (2, 4)], [(0, 2), (1, 1)], [(3, 3)]]
    masks = torch.zeros(4, 21, dtype=torch.bool)
    for k, pairs in enumerate(itertools.accumulate(steps)):
        masks[k, [place[pair] for pair in pairs]] = True
    assert nullity(masks, samples).tolist() == [5, 4, 3, 2]
    assert in_training(masks, samples).sum(dim=1).tolist() == [1, 2, 3, 5]
    assert is_implied(masks, samples).sum(dim=1).tolist() == [1, 3, 7, 13]
    right = reached(is_implied(masks, samples), masks, samples)
    assert right.sum(dim=1).tolist() == [2, 4, 6, 8]
