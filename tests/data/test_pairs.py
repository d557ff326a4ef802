"""Splits are those of the papers bit for bit; seeds and batches keep to themselves."""

import random
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from grok.data.config import DataConfig, SplitMethod, n_train_rows
from grok.data.pairs import (
    PairData,
    batch_rows,
    is_commutative,
    mirrored,
    pair_data,
    split_rows,
)
from grok.groups import Operation, group

METHODS: tuple[SplitMethod, ...] = get_args(SplitMethod)
# Of the dossier of the inductive-bias paper, section 1.1.
GOLDEN = [
    (456, (49, 101)),
    (789, (48, 80)),
    (111, (111, 92)),
    (222, (17, 38)),
    (333, (106, 45)),
    (0, (18, 34)),
]


def same_bytes(left: Tensor, right: Tensor) -> bool:
    return left.dtype == right.dtype and torch.equal(left, right)


def is_same(left: PairData, right: PairData) -> dict[str, bool]:
    return {
        name: same_bytes(getattr(left, name), getattr(right, name))
        for name in ("a", "b", "c", "train", "test")
    }


@pytest.mark.parametrize(("seed", "first"), GOLDEN)
def test_the_inductive_bias_split_is_the_published_one(seed: int, first: tuple[int, int]) -> None:
    """Claim IB-01."""
    data = pair_data(DataConfig(split="python_shuffle_test_floor", split_seed=seed))
    assert (len(data.train), len(data.test)) == (3831, 8938)
    row = data.train[0]
    assert (data.a[row].item(), data.b[row].item()) == first
    torch.testing.assert_close(data.c, (data.a + data.b) % 113)
    assert data.tokens.shape == (12769, 3)
    assert (data.tokens[:, 2] == 113).all()


@pytest.mark.parametrize(("seed", "first"), GOLDEN)
def test_the_progress_measures_split_is_the_same_order_cut_one_pair_earlier(
    seed: int, first: tuple[int, int]
) -> None:
    data = pair_data(DataConfig(split="python_shuffle", split_seed=seed))
    other = pair_data(DataConfig(split="python_shuffle_test_floor", split_seed=seed))
    assert (len(data.train), len(data.test)) == (3830, 8939)
    assert divmod(data.train[0].item(), 113) == first
    torch.testing.assert_close(torch.cat([data.train, data.test]), torch.cat(other[-2:]))


def test_a_shuffle_is_that_of_the_global_generator_of_python() -> None:
    state = random.getstate()
    random.seed(5)
    rows = list(range(50))
    random.shuffle(rows)
    random.setstate(state)
    train, test = split_rows("python_shuffle", 50, 0.5, 5)
    assert [*train.tolist(), *test.tolist()] == rows


def test_a_torch_split_is_that_of_the_global_generator_of_torch() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(598)  # the demo notebook's
        order = torch.randperm(113 * 113)
    train, test = split_rows("torch_randperm", 113 * 113, 0.3, 598)
    torch.testing.assert_close(train, order[:3830])
    torch.testing.assert_close(test, order[3830:])


def test_a_numpy_split_is_that_of_the_global_generator_of_numpy() -> None:
    state = np.random.get_state()  # noqa: NPY002 - the legacy stream is what is reproduced
    np.random.seed(58)  # noqa: NPY002
    drawn = np.random.choice(55, 45, replace=False)  # noqa: NPY002
    np.random.set_state(state)  # noqa: NPY002
    train, test = split_rows("numpy_choice", 55, 45 / 55, 58)
    assert train.tolist() == drawn.tolist()
    assert test.tolist() == sorted(set(range(55)) - set(drawn))


@pytest.mark.parametrize("method", METHODS)
def test_a_split_leaves_the_global_generators_alone(method: SplitMethod) -> None:
    def states() -> tuple[object, ...]:
        legacy = np.random.get_state(legacy=False)["state"]["key"]  # noqa: NPY002
        return random.getstate(), torch.get_rng_state().tolist(), legacy.tolist()

    before = states()
    split_rows(method, 100, 0.3, 7)
    assert states() == before


@given(
    method=st.sampled_from(METHODS),
    n_pairs=st.integers(1, 400),
    fraction=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_row_is_on_exactly_one_side(
    method: SplitMethod, n_pairs: int, fraction: float, seed: int
) -> None:
    train, test = split_rows(method, n_pairs, fraction, seed)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(n_pairs))
    assert len(train) == n_train_rows(method, n_pairs, fraction)
    assert train.dtype == test.dtype == torch.int64


@pytest.mark.parametrize("method", METHODS)
def test_another_seed_is_another_split(method: SplitMethod) -> None:
    splits = {tuple(split_rows(method, 100, 0.3, seed)[0].tolist()) for seed in range(5)}
    assert len(splits) == 5


@pytest.mark.parametrize("split", METHODS)
@pytest.mark.parametrize("operation", ["add", "div", "random"])
def test_the_data_have_the_sizes_that_the_config_promises(
    operation: Operation, split: SplitMethod
) -> None:
    config = DataConfig(operation=operation, p=11, split=split, train_fraction=0.37)
    data = pair_data(config)
    assert data.n == config.n_elements
    assert len(data.a) == len(data.b) == len(data.c) == config.n_pairs
    assert (len(data.train), len(data.test)) == (config.n_train, config.n_test)


@pytest.mark.parametrize("operation", ["add", "div"])
def test_rows_are_in_lexicographic_order(
    operation: Operation,
) -> None:
    data = pair_data(DataConfig(operation=operation, p=7))
    pairs = [(a, b) for a in range(7) for b in range(7) if operation == "add" or b != 0]
    assert list(zip(data.a.tolist(), data.b.tolist(), strict=True)) == pairs


def test_tokens_are_both_elements_and_the_equals_sign() -> None:
    data = pair_data(DataConfig(operation="sub", p=3, train_fraction=0.5))
    assert data.tokens[:4].tolist() == [[0, 0, 3], [0, 1, 3], [0, 2, 3], [1, 0, 3]]
    assert data.c[:4].tolist() == [0, 2, 1, 1]


def test_labels_of_a_composition_are_products_in_the_group() -> None:
    data = pair_data(DataConfig(operation="compose", group="D4"))
    assert data.n == 8
    torch.testing.assert_close(data.c, torch.tensor(group("D4").table)[data.a, data.b])


@pytest.mark.parametrize("operation", ["add", "compose", "random", "div"])
def test_writing_to_the_labels_leaves_later_tables_alone(operation: Operation) -> None:
    name = "S3" if operation == "compose" else ""
    config = DataConfig(operation=operation, group=name, p=113 if name else 5)
    before = pair_data(config).c.clone()
    pair_data(config).c.zero_()
    torch.testing.assert_close(pair_data(config).c, before)


@pytest.mark.parametrize(
    ("seed", "changed"),
    [("table_seed", {"c"}), ("split_seed", {"train", "test"}), ("order_seed", set())],
)
def test_each_seed_changes_its_own_part_and_no_other(seed: str, changed: set[str]) -> None:
    config = DataConfig(operation="random", p=11)
    same = is_same(pair_data(config), pair_data(replace(config, **{seed: 1})))
    assert {name for name, is_equal in same.items() if not is_equal} == changed


def test_the_order_seed_changes_the_batches() -> None:
    train = torch.arange(20)
    assert not same_bytes(batch_rows(train, 20, seed=0, step=0), batch_rows(train, 20, 1, 0))


@pytest.mark.parametrize("batch_size", [1, 7, 10, 23])
def test_an_epoch_sees_no_row_twice_and_leaves_out_the_remainder(batch_size: int) -> None:
    train = 100 + torch.arange(23)
    n_batches = 23 // batch_size
    for epoch in range(3):
        steps = range(epoch * n_batches, (epoch + 1) * n_batches)
        rows = torch.cat([batch_rows(train, batch_size, seed=4, step=step) for step in steps])
        assert len(rows) == len(set(rows.tolist())) == n_batches * batch_size
        assert set(rows.tolist()) <= set(train.tolist())


def test_a_batch_depends_on_its_seed_and_step_alone() -> None:
    train = torch.arange(50)
    forward = [batch_rows(train, 8, seed=2, step=step) for step in range(30)]
    torch.manual_seed(0)
    backward = [batch_rows(train, 8, seed=2, step=step) for step in reversed(range(30))]
    torch.testing.assert_close(forward, backward[::-1])
    assert len({tuple(rows.tolist()) for rows in forward}) == 30


def test_the_next_epoch_of_a_seed_is_not_the_first_of_the_next_seed() -> None:
    train = torch.arange(50)
    orders = [batch_rows(train, 50, seed, step) for seed in range(4) for step in range(4)]
    assert len({tuple(order.tolist()) for order in orders}) == 16


def test_rows_are_drawn_from_those_given() -> None:
    train = torch.tensor([8, 3, 5, 12])
    drawn = batch_rows(train, 4, seed=0, step=0)
    torch.testing.assert_close(drawn, train[batch_rows(torch.arange(4), 4, seed=0, step=0)])


@pytest.mark.parametrize("batch_size", [-1, 0, 5])
def test_a_batch_that_does_not_fit_is_refused(batch_size: int) -> None:
    with pytest.raises(ValueError, match=f"batch_size={batch_size}: allowed are 1 to 4"):
        batch_rows(torch.arange(4), batch_size, seed=0, step=0)


def test_a_step_before_the_first_is_refused() -> None:
    with pytest.raises(ValueError, match="step=-1"):
        batch_rows(torch.arange(4), 2, seed=0, step=-1)


@pytest.mark.parametrize(
    ("seed", "fraction"), [(456, 0.309), (789, 0.300), (111, 0.307), (222, 0.297), (333, 0.299)]
)
def test_mirror_fractions_are_those_of_the_published_splits(seed: int, fraction: float) -> None:
    """Section 1.1 of the dossier of the inductive-bias paper, to its digits."""
    data = pair_data(DataConfig(split="python_shuffle_test_floor", split_seed=seed))
    assert round(mirrored(data).double().mean().item(), 3) == fraction


@pytest.mark.parametrize("config", [DataConfig(p=7), DataConfig(p=7, operation="div")], ids=str)
def test_a_pair_is_mirrored_if_its_swap_is_trained_on(config: DataConfig) -> None:
    data = pair_data(replace(config, train_fraction=0.5))
    pairs = list(zip(data.a.tolist(), data.b.tolist(), strict=True))
    trained = {pairs[row] for row in data.train}
    test = [pairs[row] for row in data.test]
    assert mirrored(data).tolist() == [(b, a) in trained for a, b in test]
    assert any(a == b for a, b in test)
    assert not any(m for m, (a, b) in zip(mirrored(data), test, strict=True) if a == b)


def test_what_commutes_is_told_from_the_table() -> None:
    def of(operation: Operation, **fields: Any) -> bool:
        return is_commutative(pair_data(DataConfig(operation=operation, **fields)))

    commutative: set[Operation] = {"add", "mul", "x2_y2", "x2_xy_y2", "sum_xor", "sum_and"}
    for operation in get_args(Operation):
        if operation != "compose":
            is_expected = operation in commutative | {"sum_rsh"}
            assert of(operation, p=11) == is_expected, operation
    assert of("compose", group="C6")
    assert of("compose", group="C2xC3")
    assert not of("compose", group="S3")
    assert of("sub", p=2)  # a - b = a + b mod 2
