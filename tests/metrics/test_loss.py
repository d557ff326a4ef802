import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.classification import multiclass_accuracy

from grok.metrics.loss import accuracy, cross_entropy, is_right, logit_margin, mse


def batch(*shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Random logits of the given shape, and labels for its last two axes."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(shape, dtype=dtype, generator=generator)
    return logits, torch.randint(shape[-1], shape[-2:-1], generator=generator)


def confident_logits(margin: float, p: int) -> tuple[Tensor, Tensor]:
    """Float32 logits: the margin for the right class, 0 for the other p - 1."""
    labels = torch.arange(p)
    return margin * functional.one_hot(labels, p).float(), labels


def test_a_confident_example_has_the_loss_of_its_wrong_classes_in_float64() -> None:
    """Unit test 7 of PM, the float64 path."""
    loss = cross_entropy(*confident_logits(25.0, p=113))
    expected = torch.tensor(112 * math.exp(-25), dtype=torch.float64)
    # 1 + 1.6e-9 keeps seven digits of 1.6e-9
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=0.0)


def test_a_confident_example_has_no_loss_in_float32() -> None:
    """Unit test 7 of PM, the float32 path."""
    assert cross_entropy(*confident_logits(25.0, p=113), dtype=torch.float32) == 0


def test_equal_logits_cost_the_log_of_the_number_of_classes() -> None:
    loss = cross_entropy(torch.full((4, 114), 7.0), torch.arange(4))
    torch.testing.assert_close(loss, torch.tensor(math.log(114), dtype=torch.float64))


def test_cross_entropy_equals_that_of_torch() -> None:
    logits, labels = batch(50, 9)
    torch.testing.assert_close(
        cross_entropy(logits, labels), functional.cross_entropy(logits, labels)
    )


def test_the_gradient_is_probability_minus_one_hot() -> None:
    logits, labels = batch(50, 9)
    gradient = torch.func.grad(cross_entropy)(logits, labels)
    expected = (logits.softmax(dim=-1) - functional.one_hot(labels, 9)) / 50
    torch.testing.assert_close(gradient, expected)


def test_the_gradient_of_float32_logits_is_float32() -> None:
    logits, labels = batch(50, 9, dtype=torch.float32)
    assert torch.func.grad(cross_entropy)(logits, labels).dtype == torch.float32


def test_cross_entropy_ignores_a_shift_of_all_logits_of_an_example() -> None:
    logits, labels = batch(50, 9)
    shift = torch.arange(50.0, dtype=torch.float64)[:, None]
    shifted = cross_entropy(logits + shift, labels)
    torch.testing.assert_close(shifted, cross_entropy(logits, labels))


def test_mse_equals_the_mean_squared_distance_to_one_hot() -> None:
    logits, labels = batch(50, 9)
    expected = functional.mse_loss(logits, functional.one_hot(labels, 9).double())
    torch.testing.assert_close(mse(logits, labels), expected)


def test_mse_of_zero_logits_is_one_over_the_number_of_classes() -> None:
    loss = mse(torch.zeros(5, 8), torch.zeros(5, dtype=torch.int64))
    torch.testing.assert_close(loss, torch.tensor(1 / 8, dtype=torch.float64))


def test_accuracy_is_that_of_torchmetrics() -> None:
    logits, labels = batch(200, 7)
    theirs = multiclass_accuracy(logits, labels, num_classes=7, average="micro")
    torch.testing.assert_close(accuracy(logits, labels), theirs.double(), rtol=1e-6, atol=0)


def test_accuracy_is_the_share_of_right_answers() -> None:
    logits = torch.tensor([[0.0, 1.0], [0.0, 1.0], [2.0, 1.0], [0.0, 1.0]])
    assert accuracy(logits, torch.tensor([1, 0, 0, 1])) == 3 / 4


def test_of_tied_logits_the_first_is_the_answer() -> None:
    tied = torch.ones(2, 3)
    assert accuracy(tied, torch.tensor([0, 1])) == 1 / 2


@pytest.mark.parametrize("label", range(3))
def test_a_row_with_nan_is_wrong_whatever_the_label(label: int) -> None:
    logits = torch.tensor([[0.0, math.nan, math.inf]])
    assert accuracy(logits, torch.tensor([label])) == 0


@pytest.mark.parametrize("metric", [cross_entropy, mse, accuracy])
def test_runs_may_share_their_labels_or_have_their_own(metric) -> None:
    logits, shared = batch(3, 2, 50, 9)
    expected = metric(logits, shared.expand(3, 2, 50))
    torch.testing.assert_close(metric(logits, shared), expected)
    torch.testing.assert_close(metric(logits, shared.expand(3, 1, 50)), expected)
    own = shared.expand(3, 2, 50).clone()
    own[1, 0] = (own[1, 0] + 1) % 9
    torch.testing.assert_close(metric(logits, own)[1, 0], metric(logits[1, 0], own[1, 0]))


@pytest.mark.parametrize("metric", [cross_entropy, mse])
@pytest.mark.parametrize("label", [-100, -1, 9])
def test_a_label_that_is_no_class_is_an_error(metric, label: int) -> None:
    logits, labels = batch(50, 9)
    labels[0] = label
    with pytest.raises(RuntimeError):
        metric(logits, labels)


@pytest.mark.parametrize("metric", [cross_entropy, mse, accuracy])
def test_an_empty_batch_has_no_mean(metric) -> None:
    assert metric(torch.zeros(0, 9), torch.zeros(0, dtype=torch.int64)).isnan()


def test_the_margin_is_the_lead_of_the_right_logit() -> None:
    logits = torch.tensor([[3.0, 1.0, -2.0], [3.0, 1.0, -2.0], [4.0, 0.0, 4.0]])
    margin = logit_margin(logits, torch.tensor([0, 1, 2]))
    torch.testing.assert_close(margin, torch.tensor([2.0, -2.0, 0.0]))


def test_a_margin_is_positive_where_the_answer_is_right() -> None:
    logits, labels = batch(4, 30, 9)
    assert ((logit_margin(logits, labels) > 0) == is_right(logits, labels)).all()
