"""Degrees of functions whose degree is known."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from grok.metrics.homogeneity import (
    Parameters,
    cosine_on_ray,
    euler_degree,
    local_degree,
    mean_surplus,
    ray_error,
    scaled,
)
from grok.metrics.loss import cross_entropy


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


THETA = {"w": gaussian(3, 5), "v": gaussian(3, 5, seed=1)}
"""Three runs of two tensors."""


def power(k: float) -> Callable[[Parameters], Tensor]:
    """Of degree k in w."""
    return lambda p: p["w"].abs() ** k * p["w"].sign()


def mixed(p: Parameters) -> Tensor:
    """Of degree 1 for small parameters and 3 for large ones."""
    return p["w"] + p["v"] ** 3


def same(found: Tensor, value: float, **tolerance: Any) -> None:
    torch.testing.assert_close(found, torch.full_like(found, value), **tolerance)


@pytest.mark.parametrize("k", [0.5, 1.0, 2.0, 13.0])
@pytest.mark.parametrize("scale", [0.1, 1.0, 1000.0])
def test_a_power_has_its_degree_everywhere(k: float, scale: float) -> None:
    same(euler_degree(power(k), scaled(THETA, scale)), k)
    same(local_degree(power(k), THETA, scale), k)
    same(ray_error(power(k), THETA, k, scale), 0.0)
    same(cosine_on_ray(power(k), THETA, [scale, 1.0]), 1.0)


def test_the_local_degree_is_the_derivative_of_the_log_of_the_norm() -> None:
    """Euler's degree is that of the norm's square, halved: both from one derivative."""
    euler = euler_degree(mixed, THETA)
    low, high = ((mixed(scaled(THETA, c)).norm(dim=-1).log()) for c in (1 - 1e-5, 1 + 1e-5))
    torch.testing.assert_close(euler, (high - low) / 2e-5, rtol=1e-6, atol=0)
    middle = (local_degree(mixed, THETA) + local_degree(mixed, THETA, 1 / 1.01)) / 2
    torch.testing.assert_close(middle, euler, rtol=1e-4, atol=0)


def test_of_a_sum_the_larger_degree_wins_far_out() -> None:
    assert (euler_degree(mixed, THETA) - 2).abs().max() < 1
    same(euler_degree(mixed, scaled(THETA, 1e-5)), 1.0)
    same(euler_degree(mixed, scaled(THETA, 1e5)), 3.0)
    same(local_degree(mixed, THETA, 1e5), 3.0)
    same(ray_error(mixed, THETA, 3, 1e5), 0.0, atol=1e-9, rtol=0)


def test_the_error_is_that_of_doubling_the_parameters() -> None:
    f, twice = mixed(THETA), mixed(scaled(THETA, 2.0))
    torch.testing.assert_close(
        ray_error(mixed, THETA, 3), (twice - 8 * f).norm(dim=-1) / (8 * f).norm(dim=-1)
    )
    each = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    found = ray_error(mixed, THETA, each)
    torch.testing.assert_close(found[1], (twice - 4 * f)[1].norm() / (4 * f)[1].norm())
    torch.testing.assert_close(found[2], ray_error(mixed, THETA, 3)[2])
    third, f = mixed(scaled(THETA, 0.3)), mixed(THETA) * 0.3**3
    torch.testing.assert_close(
        ray_error(mixed, THETA, 3, factor=0.3), (third - f).norm(dim=-1) / f.norm(dim=-1)
    )


def test_the_cosine_turns_from_one_term_to_the_other() -> None:
    found = cosine_on_ray(mixed, THETA, [1e-6, 1.0, 4.0, 1000.0])
    far = F.cosine_similarity(THETA["w"], THETA["v"] ** 3)
    torch.testing.assert_close(found[:, 0], far, rtol=1e-5, atol=1e-5)
    same(found[:, 3], 1.0)
    assert (found.diff(dim=-1) > 0).all()


def test_outputs_with_names_are_measured_one_by_one() -> None:
    def f(p: Parameters) -> dict[str, Tensor]:
        return {"one": power(1.0)(p), "both": mixed(p)}

    def f_both(p: Parameters) -> Tensor:
        return mixed(p)

    assert list(euler_degree(f, THETA)) == ["one", "both"]
    for measure in (
        euler_degree,
        lambda g, p: local_degree(g, p, 2.0),
        lambda g, p: ray_error(g, p, 3, 2.0),
        lambda g, p: cosine_on_ray(g, p, [2.0]),
    ):
        torch.testing.assert_close(measure(f, THETA)["both"], measure(f_both, THETA))
    degrees = {"one": 1, "both": 3}
    same(ray_error(f, THETA, degrees)["one"], 0.0)
    assert ray_error(f, THETA, 3)["one"].min() > 0.5


def test_a_network_that_is_0_or_overflows_has_no_degree() -> None:
    def zero(p: Parameters) -> Tensor:
        return 0 * p["w"]

    assert euler_degree(zero, THETA).isnan().all()
    assert local_degree(zero, THETA).isnan().all()
    assert ray_error(zero, THETA, 1).isnan().all()
    assert (cosine_on_ray(zero, THETA, [1.0]) == 0).all()
    assert local_degree(power(400.0), THETA, 1000.0).isnan().all()


def test_numbers_whose_squares_are_too_large_are_measured() -> None:
    same(euler_degree(power(60.0), scaled(THETA, 1000.0)), 60.0)
    same(local_degree(power(60.0), THETA, 1000.0), 60.0)
    same(ray_error(power(60.0), THETA, 60, 1000.0), 0.0)


def test_parameters_are_scaled_in_float64_and_left_alone() -> None:
    theta = {name: x.float().requires_grad_() for name, x in THETA.items()}
    before = {name: x.detach().clone() for name, x in theta.items()}
    found = scaled(theta, 1000.0)
    assert {x.dtype for x in found.values()} == {torch.float64}
    torch.testing.assert_close(found["w"].detach(), 1000 * before["w"].double())
    kept = scaled(theta, 1000.0, ["v"])
    torch.testing.assert_close(kept["w"].detach(), before["w"].double())
    torch.testing.assert_close(kept["v"], found["v"])
    for measure in (
        lambda f: euler_degree(f, theta),
        lambda f: local_degree(f, theta),
        lambda f: cosine_on_ray(f, theta, [1.0]),
    ):
        with torch.no_grad():
            assert measure(mixed).dtype == torch.float64
    assert all(torch.equal(theta[name], before[name]) for name in theta)


def test_a_module_is_a_function_of_its_parameters() -> None:
    """Any torch module, called with other parameters; its buffers are not scaled."""
    module = (
        torch.nn.Sequential(
            torch.nn.Linear(4, 8, bias=False),
            torch.nn.ReLU(),
            torch.nn.BatchNorm1d(8, affine=False),
            torch.nn.Linear(8, 3, bias=False),
        )
        .double()
        .eval()
    )
    x = gaussian(6, 4)

    def f(params: Parameters) -> Tensor:
        return torch.func.functional_call(module, dict(params), (x,)).flatten()

    params = dict(module.named_parameters())
    with torch.no_grad():
        module[2].running_var.fill_(0.25)  # type: ignore[union-attr]
        assert euler_degree(f, params).item() == pytest.approx(2)
        assert local_degree(f, params, 100.0).item() == pytest.approx(2)


def test_the_surplus_is_the_right_logit_less_the_expected_one() -> None:
    logits, labels = gaussian(2, 4, 5), torch.tensor([[0, 1, 2, 3], [4, 4, 4, 4]])
    expected = [
        sum(
            float(logits[run, i, y] - logits[run, i].softmax(-1) @ logits[run, i])
            for i, y in enumerate(labels[run])
        )
        / 4
        for run in range(2)
    ]
    assert mean_surplus(logits, labels).tolist() == pytest.approx(expected)
    certain = torch.tensor([[[50.0, 0.0]]])
    assert mean_surplus(certain, torch.tensor([[0]])).item() == pytest.approx(0, abs=1e-12)
    assert mean_surplus(certain, torch.tensor([[1]])).item() == pytest.approx(-50)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_gradient_along_the_parameters_is_the_surplus_times_the_degree(k: int) -> None:
    w, labels = gaussian(1, 6, 5).requires_grad_(), torch.arange(6).remainder(5).unsqueeze(0)
    logits = w.sign() * w.abs() ** k
    (gradient,) = torch.autograd.grad(cross_entropy(logits, labels).sum(), w)
    along = (gradient * w).sum(dim=(1, 2))
    torch.testing.assert_close(along, -k * mean_surplus(logits, labels))
