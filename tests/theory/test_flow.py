import math

import pytest
import torch
from torch import Tensor

from grok.data.toy_config import ToyConfig
from grok.metrics.representation import rqi
from grok.metrics.samples import addition_samples
from grok.models.toy import ToyNetwork, toy_parameters
from grok.theory.effective import effective_loss, gram, hessian
from grok.theory.flow import conserved, flow, integrated_flow, ordered_step, standardised

P10 = addition_samples(10)
MATRIX = gram(torch.ones(70, dtype=torch.bool), P10)
FIRST = toy_parameters(ToyNetwork(ToyConfig(draw="published"), 30), 9)["W_E"]
"""First embeddings of figure 4(c)."""


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def time(dt: float, n_steps: int) -> Tensor:
    return dt * torch.arange(n_steps + 1, dtype=torch.float64)


@pytest.mark.parametrize("d", [1, 3])
def test_the_flow_goes_down_the_gradient_of_the_effective_loss(d: int) -> None:
    """The velocity of both solutions against the derivative of the loss by autograd."""
    start = noise(10, d) + 1
    gradient = torch.func.grad(lambda x: effective_loss(x, MATRIX))(start)
    dt = 1e-6
    for path in (flow(start, MATRIX, time(dt, 1)), integrated_flow(start, MATRIX, dt, 1)):
        torch.testing.assert_close((path[1] - path[0]) / dt, -gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("d", [1, 3])
def test_the_closed_form_is_the_integral(d: int) -> None:
    start = standardised(noise(10, d))
    exact = flow(start, MATRIX, time(0.01, 100))
    torch.testing.assert_close(integrated_flow(start, MATRIX, 0.01, 100), exact, rtol=0, atol=1e-5)


def test_the_integrator_is_of_fourth_order() -> None:
    start = standardised(noise(10, 1))
    exact = flow(start, MATRIX, time(0.4, 1))[-1]
    errors = [
        float((integrated_flow(start, MATRIX, 0.4 / n, n)[-1] - exact).abs().max())
        for n in (20, 40, 80)
    ]
    orders = [math.log2(errors[0] / errors[1]), math.log2(errors[1] / errors[2])]
    assert orders == pytest.approx([4, 4], abs=0.3)


def test_norm_is_kept_always_and_the_sum_only_if_it_is_0() -> None:
    centred, shifted = standardised(noise(10, 2)), standardised(noise(10, 2)) + 1
    for start in (centred, shifted):
        path = conserved(integrated_flow(start, MATRIX, 0.005, 200))
        torch.testing.assert_close(path.z0, path.z0[0].expand(201), rtol=0, atol=1e-6)
    kept = conserved(flow(centred, MATRIX, time(0.1, 20)))
    torch.testing.assert_close(kept.total, torch.zeros(21, 2, dtype=torch.float64))
    torch.testing.assert_close(kept.z0, torch.full((21,), 18.0, dtype=torch.float64))
    moved = conserved(flow(shifted, MATRIX, time(0.1, 20))).total
    assert (moved[-1] - moved[0]).abs().min() > 0.1


def test_the_third_mode_falls_by_the_rate_against_the_null_space() -> None:
    start = standardised(noise(10, 1))
    rate, mode = torch.linalg.eigh(hessian(MATRIX, 9.0))
    moments = time(0.1, 10)
    weight = (mode.mT @ flow(start, MATRIX, moments))[..., 0]
    ratio = (weight[:, 2] / weight[:, :2].norm(dim=1)).abs()
    expected = ratio[0] * (-rate[2] * moments).exp()
    torch.testing.assert_close(ratio, expected)


def test_the_end_is_a_line_however_late() -> None:
    start = standardised(noise(10, 1))
    end = flow(start, MATRIX, torch.tensor([1e4], dtype=torch.float64))[0, :, 0]
    step = end.diff()
    torch.testing.assert_close(step, step[0].expand(9))
    torch.testing.assert_close(end.square().sum(), torch.tensor(9.0, dtype=torch.float64))


def test_a_start_without_null_space_ends_in_its_slowest_mode() -> None:
    """Weight 0 in the null space, and e^-1e5 in all else."""
    matrix = torch.diag(torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64))
    start = torch.tensor([[0.0], [1.0], [1.0]])
    path = flow(start, matrix, torch.tensor([0.0, 1e5], dtype=torch.float64))
    torch.testing.assert_close(path[0], start.double())
    torch.testing.assert_close(path[1, :, 0], torch.tensor([0, 2**0.5, 0], dtype=torch.float64))


def test_a_start_is_standardised_by_the_unbiased_deviation() -> None:
    start = standardised(torch.tensor([[1.0], [2.0], [6.0]]))
    expected = torch.tensor([[-2.0], [-1.0], [3.0]], dtype=torch.float64) / 7**0.5
    torch.testing.assert_close(start, expected)


def test_figure_4_is_regenerated() -> None:
    """Seed 9, sum over all 70 parallelograms, learning rate 3e-4."""
    path = flow(standardised(FIRST), MATRIX, time(3e-4, 2000))
    # fmt: off
    curves = {
        500: [-0.935, -1.417, -0.692, -0.183, -0.762, 0.013, 0.112, 1.167, 1.407, 1.292],
        1000: [-1.303, -1.273, -0.821, -0.448, -0.308, 0.119, 0.400, 0.928, 1.262, 1.443],
        2000: [-1.463, -1.170, -0.830, -0.497, -0.174, 0.161, 0.490, 0.834, 1.168, 1.482],
    }
    # fmt: on
    for step, curve in curves.items():
        expected = torch.tensor(curve, dtype=torch.float64)
        torch.testing.assert_close(path[step, :, 0], expected, rtol=0, atol=1e-3)


def test_the_ordered_step_is_the_first_of_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    start = standardised(FIRST)
    quality = rqi(flow(start, MATRIX, time(3e-4, 2000)), P10.rows)
    expected = int((quality > 0.95).nonzero()[0])
    for block in (70 * 100, 70 * 5000):
        monkeypatch.setattr("grok.theory.flow._BLOCK", block)
        assert ordered_step(start, MATRIX, P10, 3e-4, 2000) == expected == 1628
        assert ordered_step(start, MATRIX, P10, 3e-4, expected) == expected
        assert ordered_step(start, MATRIX, P10, 3e-4, expected - 1) is None


def test_the_ordered_step_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grok.theory.flow._BLOCK", 70 * 50)
    told: list[float] = []
    start = standardised(FIRST)
    assert ordered_step(start, MATRIX, P10, 3e-4, 99, tell=told.append) is None
    assert told == [0.5, 1.0]
