import math
from collections.abc import Callable
from itertools import combinations

import pytest
import torch
from torch import Tensor

from grok.metrics.collapse import class_separation, same_label_loss, within_class_share

MEASURES = (same_label_loss, within_class_share, class_separation)


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def labels(n: int, n_classes: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(n_classes, (n,), generator=generator)


@pytest.mark.parametrize("n_classes", [1, 3, 10])
@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_the_plain_sum_over_pairs_of_one_label(n_classes: int, seed: int) -> None:
    f, label = gaussian(23, 4, seed=seed), labels(23, n_classes, seed)
    pairs = sum(
        (
            (f[x] - f[y]).square().sum()
            for x, y in combinations(range(23), 2)
            if label[x] == label[y]
        ),
        start=torch.zeros((), dtype=torch.float64),
    )
    torch.testing.assert_close(same_label_loss(f, label, n_classes), pairs / f.square().sum())


def test_variances_and_distances_are_those_written_out_class_by_class() -> None:
    f, label = gaussian(30, 4), labels(30, 5)
    groups = [f[label == k] for k in range(5)]
    within = sum(((x - x.mean(dim=0)).square().sum() for x in groups), start=torch.zeros(()))
    total = (f - f.mean(dim=0)).square().sum()
    torch.testing.assert_close(within_class_share(f, label, 5), within / total)
    means = [x.mean(dim=0) for x in groups]
    distances = [float((a - b).norm()) for a, b in combinations(means, 2)]
    found = float(class_separation(f, label, 5))
    assert math.isclose(found, min(distances) / max(distances), rel_tol=1e-12)


def test_classes_that_are_points_have_collapsed() -> None:
    label = labels(40, 4)
    f = gaussian(4, 3)[label]
    assert float(same_label_loss(f, label, 4)) < 1e-28
    assert float(within_class_share(f, label, 4)) < 1e-28


def test_all_variance_is_within_classes_of_one_mean() -> None:
    f = gaussian(20, 3)
    both, label = torch.cat([f, f]), torch.arange(2).repeat_interleave(20)
    torch.testing.assert_close(within_class_share(both, label, 2), torch.tensor(1.0).double())


def test_corners_of_a_simplex_are_equally_far_apart() -> None:
    label = labels(40, 5)
    f = torch.eye(5, dtype=torch.float64)[label]
    torch.testing.assert_close(class_separation(f, label, 5), torch.tensor(1.0).double())


def test_two_classes_on_one_point_have_no_distance() -> None:
    f = torch.tensor([[0.0], [1.0], [-1.0], [5.0]], dtype=torch.float64)
    assert class_separation(f, torch.tensor([0, 1, 1, 2]), 3) == 0


@pytest.mark.parametrize("measure", MEASURES)
def test_scale_rotation_and_names_of_classes_do_not_matter(
    measure: Callable[[Tensor, Tensor, int], Tensor],
) -> None:
    f, label = gaussian(30, 4), labels(30, 5)
    rotation, _ = torch.linalg.qr(gaussian(4, 4, seed=2))
    expected = measure(f, label, 5)
    torch.testing.assert_close(measure(7 * f @ rotation, 4 - label, 5), expected)
    torch.testing.assert_close(measure(f, label, 9), expected)  # four classes have no sample


@pytest.mark.parametrize("measure", [within_class_share, class_separation])
def test_a_far_origin_does_not_matter(measure: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    f, label = gaussian(30, 4), labels(30, 5)
    # 1e6 leaves ten digits of features of order one.
    moved = measure(f + 1e6, label, 5)
    torch.testing.assert_close(moved, measure(f, label, 5), rtol=1e-8, atol=0)


def test_a_single_class_has_no_distances() -> None:
    f = gaussian(5, 2)
    zeros = torch.zeros(5, dtype=torch.int64)
    assert class_separation(f, zeros, 3).isnan()
    torch.testing.assert_close(within_class_share(f, zeros, 3), torch.tensor(1.0).double())


def test_nothing_over_nothing_is_not_a_number() -> None:
    zeros, label = torch.zeros(6, 2), labels(6, 2)
    assert all(measure(zeros, label, 2).isnan() for measure in MEASURES)


def test_descent_on_the_loss_collapses_the_classes_and_keeps_the_length() -> None:
    f = gaussian(60, 2).requires_grad_()
    label = labels(60, 3)
    length = f.detach().square().sum()
    before = float(within_class_share(f.detach(), label, 3))
    for _ in range(200):
        (gradient,) = torch.autograd.grad(same_label_loss(f, label, 3), f)
        # A blind scale makes the gradient orthogonal to the features.
        torch.testing.assert_close((gradient * f).sum(), torch.zeros(()).double())
        f = (f - 0.05 * gradient).detach().requires_grad_()
    assert float(within_class_share(f.detach(), label, 3)) < before / 10
    assert float(f.detach().square().sum() / length - 1) < 0.05  # of a step that is not small
