import math

import pytest
import torch
from torch import Tensor

from grok.metrics.kernel import (
    centred_label_alignment,
    kernel_cosine_distance,
    kernel_distance,
    kernel_norm,
    label_alignment,
)


def gram(*shape: int, seed: int = 0) -> Tensor:
    """A positive semi-definite kernel with random features ``[..., pair, feature]``."""
    generator = torch.Generator().manual_seed(seed)
    J = torch.randn(shape, dtype=torch.float64, generator=generator)
    return J @ J.mT


def scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


LABELS = torch.tensor([0, 1, 2, 2, 0, 1, 2])


def same_label() -> Tensor:
    return torch.tensor([[float(y == z) for y in LABELS] for z in LABELS], dtype=torch.float64)


def test_norm_is_the_root_of_the_sum_of_squares() -> None:
    K = torch.tensor([[[3.0, 0.0], [0.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]]])
    torch.testing.assert_close(kernel_norm(K), torch.tensor([5.0, 2.0], dtype=torch.float64))


def test_a_kernel_that_has_not_moved_has_distance_zero_exactly() -> None:
    K = gram(7, 4).float()
    assert kernel_distance(K, K) == 0
    assert kernel_cosine_distance(K, K) == 0


@pytest.mark.parametrize("s", [0.25, 1.0, 30.0])
def test_growth_in_place_is_drift_and_no_change_of_direction(s: float) -> None:
    K = gram(7, 4)
    torch.testing.assert_close(kernel_distance(s * K, K), scalar(abs(s - 1)))
    torch.testing.assert_close(kernel_cosine_distance(s * K, K), scalar(0))


def test_kernels_without_a_common_direction_are_at_cosine_distance_one() -> None:
    K, K_0 = torch.diag(torch.tensor([1.0, 0.0])), torch.diag(torch.tensor([0.0, 5.0]))
    torch.testing.assert_close(kernel_cosine_distance(K, K_0), scalar(1))
    torch.testing.assert_close(kernel_distance(K, K_0), scalar(math.sqrt(26) / 5))


def test_cosine_distance_is_one_minus_the_cosine() -> None:
    K, K_0 = gram(7, 4), gram(7, 4, seed=1)
    inner = (K * K_0).sum() / (K.square().sum() * K_0.square().sum()).sqrt()
    torch.testing.assert_close(kernel_cosine_distance(K, K_0), 1 - inner)


def test_small_rotations_are_not_lost_to_rounding() -> None:
    # Of a kernel of norm 1 moved by eps at right angles the cosine is 1/sqrt(1 + eps^2).
    K_0 = torch.diag(torch.tensor([1.0, 0.0], dtype=torch.float64))
    K = torch.diag(torch.tensor([1.0, 1e-9], dtype=torch.float64))
    torch.testing.assert_close(kernel_cosine_distance(K, K_0), scalar(5e-19), rtol=1e-6, atol=0)


def test_alignment_of_the_label_kernel_is_one() -> None:
    K = 3 * same_label()
    torch.testing.assert_close(label_alignment(K, LABELS), scalar(1))
    torch.testing.assert_close(centred_label_alignment(K, LABELS), scalar(1))


def test_alignment_is_the_formula_with_one_hot_labels() -> None:
    K, Y = gram(7, 4), torch.nn.functional.one_hot(LABELS).double()
    expected = torch.trace(Y.T @ K @ Y) / (K.norm() * (Y @ Y.T).norm())
    torch.testing.assert_close(label_alignment(K, LABELS), expected)
    C = torch.eye(7, dtype=torch.float64) - 1 / 7
    K_c, L_c = C @ K @ C, C @ Y @ Y.T @ C
    expected = (K_c * L_c).sum() / (K_c.norm() * L_c.norm())
    torch.testing.assert_close(centred_label_alignment(K, LABELS), expected)


@pytest.mark.parametrize("seed", range(5))
def test_alignments_of_positive_kernels_lie_between_zero_and_one(seed: int) -> None:
    K = gram(100, 7, 1 + seed, seed=seed)
    labels = LABELS.expand(100, 7)
    for alignment in (label_alignment(K, labels), centred_label_alignment(K, labels)):
        assert (alignment >= 0).all()
        assert (alignment <= 1).all()
        assert alignment.std() > 0.01


def test_only_the_centred_alignment_is_blind_to_what_all_pairs_share() -> None:
    K = gram(7, 4)
    shared = K + 10
    torch.testing.assert_close(
        centred_label_alignment(shared, LABELS), centred_label_alignment(K, LABELS)
    )
    constant = label_alignment(torch.ones(7, 7), LABELS)
    # Tr(Y^T 1 1^T Y) = sum n_c^2 = 4 + 4 + 9, which is the squared norm of Y Y^T as well.
    torch.testing.assert_close(constant, scalar(math.sqrt(17) / 7))
