"""Accuracy on test pairs whose mirror is trained on, and on the others."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from grok.data.config import DataConfig
from grok.data.pairs import mirrored, pair_data
from grok.keys import find_key
from grok.measures import Readings, Snapshot, task
from tests.builders import data_of, make_stack, tiny


def read(answers: Tensor, labels: Tensor, is_mirrored: Tensor) -> Readings:
    """Readings of networks that give these answers, ``[run, test]``."""
    logits = F.one_hot(answers, 12).double()
    predictions = {"test": (logits, labels.expand_as(answers))}
    return task(Snapshot(0, {}, predictions=lambda: predictions, mirrored=lambda: is_mirrored))


def test_a_network_that_knows_its_pairs_and_that_sums_commute_is_right_on_mirrored_pairs() -> None:
    data = pair_data(DataConfig(p=11))
    is_mirrored, labels = mirrored(data), data.c[data.test]
    answers = torch.where(is_mirrored, labels, 11)  # 11 is "=", never right
    readings = read(answers.unsqueeze(0), labels.unsqueeze(0), is_mirrored.unsqueeze(0))
    assert readings["acc/test_mirrored"].tolist() == [1]
    assert readings["acc/test_unmirrored"].tolist() == [0]
    torch.testing.assert_close(readings["acc/test"], is_mirrored.double().mean().reshape(1))


def test_each_run_is_read_on_its_own_pairs_and_nan_where_there_are_none() -> None:
    labels = torch.tensor([[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]])
    answers = torch.tensor([[0, 1, 2, 0], [0, 0, 0, 3], [0, 1, 0, 0]])
    is_mirrored = torch.tensor([[True, True, False, False], [True] * 4, [False] * 4])
    readings = read(answers, labels, is_mirrored)
    nan = torch.nan
    expected = {"acc/test_mirrored": [1.0, 0.5, nan], "acc/test_unmirrored": [0.5, nan, 0.5]}
    for key, values in expected.items():
        ours = torch.tensor(values, dtype=torch.float64)
        torch.testing.assert_close(readings[key], ours, equal_nan=True)


def test_a_stack_reads_the_mirrors_of_every_run() -> None:
    configs = [tiny(p=11, split_seed=s, init_seed=s) for s in range(2)]
    stack = make_stack(*configs)
    stack.advance(50)
    snapshot = stack.snapshot()
    readings = task(snapshot)
    logits, labels = snapshot.predictions["test"]
    for run, data in enumerate(data_of(configs)):
        is_right = logits[run].argmax(dim=-1) == labels[run]
        trained = {(int(data.a[row]), int(data.b[row])) for row in data.train}
        is_mirrored = torch.tensor(
            [(int(data.b[row]), int(data.a[row])) in trained for row in data.test]
        )
        for key, rows in (("mirrored", is_mirrored), ("unmirrored", ~is_mirrored)):
            expected = is_right[rows].double().mean()
            torch.testing.assert_close(readings[f"acc/test_{key}"][run], expected)


@pytest.mark.parametrize(
    "fields",
    [{"operation": "sub"}, {"operation": "div"}, {"operation": "compose", "group": "S3", "p": 113}],
    ids=str,
)
def test_mirrors_are_read_of_commutative_operations_alone(fields: dict[str, Any]) -> None:
    readings = task(make_stack(tiny(**fields)).snapshot())
    assert readings.keys() == {"loss/train", "loss/test", "acc/train", "acc/test"}


def test_keys_of_mirrors_have_rows_of_their_own() -> None:
    for key in ("acc/test_mirrored", "acc/test_unmirrored"):
        row = find_key(key)
        assert row is not None
        assert row.pattern == key
