"""Hessian of the training loss against the dense Hessian of plain torch."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from grok.config import MeasuresConfig
from grok.config.measures import HessianConfig
from grok.measures import hessian, loss_curvature
from grok.measures.hessian import top_eigenvalues
from grok.models.config import norm_config
from grok.models.forms import Form
from grok.training import Stack
from grok.training.curvature import hessian_product
from tests.builders import data_of, make_stack, paper, tiny
from tests.plain import PlainTransformer, plain_name

NETWORKS: dict[str, dict[str, Any]] = {
    "one layer": {},
    "depth 2": {"n_layers": 2},
    "pre": {"norm": norm_config("pre", eps=1e-3)},
    "unused norms": {"norm": norm_config("mlp", eps=1e-3, build_unused=True)},
    "tied": {"tied": True},
    "mean squared error": {"loss": "mse"},
    "temperature": {"temperature": 2.0},
    "initial prediction subtracted": {"subtract_initial": True},
    "penalty, batches and dropout": {"l1": 0.1, "batch_size": 4, "dropout": 0.3},
}


def make(n_runs: int = 1, n_eigenvalues: int = 3, **fields: Any) -> Stack:
    """Networks of some hundred weights, away from their initialisation."""
    measures = MeasuresConfig(hessian=HessianConfig(n_eigenvalues=n_eigenvalues))
    sizes: dict[str, Any] = {"p": 5, "d_model": 4, "d_mlp": 6, "measures": measures}
    configs = [
        tiny(init_seed=s, split_seed=s, readout_scale=1.5 + s, **(sizes | fields))
        for s in range(n_runs)
    ]
    stack = make_stack(*configs)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(stack.theta.shape[1], dtype=stack.dtype, generator=generator)
    with torch.no_grad():
        stack.theta.add_(0.3 * noise)
    return stack


def dense_hessian(stack: Stack, run: int = 0) -> Tensor:
    """The Hessian in the trained weights of one run, by plain torch."""
    config, data = stack.configs[run], data_of(stack.configs)[run]
    m, plain = config.model, PlainTransformer(config.model, data.n)
    rest = stack.theta[run, stack.n_trained :]
    f_0 = 0.0
    if m.subtract_initial:
        plain.load({name: x[run] for name, x in stack.named(stack.initial).items()})
        f_0 = plain(data.tokens[data.train]).logits[:, -1].detach()

    def loss(weights: Tensor) -> Tensor:
        shapes = stack.layout.shapes
        pieces = torch.cat([weights, rest]).split([torch.Size(s).numel() for s in shapes.values()])
        named = {
            plain_name(name): x.reshape(shape)
            for (name, shape), x in zip(shapes.items(), pieces, strict=True)
        }
        f = torch.func.functional_call(plain, named, data.tokens[data.train]).logits[:, -1]
        h = m.readout_scale * (f - f_0) / m.temperature
        if config.optim.loss == "mse":
            return F.mse_loss(h, F.one_hot(data.c[data.train], h.shape[-1]).double())
        return F.cross_entropy(h, data.c[data.train])

    with sdpa_kernel(SDPBackend.MATH):  # the fused one has no second derivative
        H = torch.autograd.functional.hessian(loss, stack.theta[run, : stack.n_trained].detach())
    assert isinstance(H, Tensor)
    return H


def largest(H: Tensor, k: int) -> Tensor:
    """Eigenvalues of largest magnitude, descending by value."""
    values = torch.linalg.eigvalsh(H)
    return values[values.abs().argsort(descending=True)[:k]].sort(descending=True).values


@pytest.mark.parametrize("fields", NETWORKS.values(), ids=NETWORKS.keys())
def test_products_and_eigenvalues_are_those_of_the_dense_hessian(fields: dict[str, Any]) -> None:
    stack = make(**fields)
    H, product = dense_hessian(stack), hessian_product(stack, 0)
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        v = torch.randn(len(H), dtype=torch.float64, generator=generator)
        torch.testing.assert_close(product(v), H @ v)
    readings = loss_curvature(stack.snapshot())
    found = torch.stack([readings[f"hessian/eigenvalue/{k}"] for k in range(3)], dim=1)
    expected = largest(H, 3)
    # The error is the square of the tolerance over the gap to other eigenvalues.
    torch.testing.assert_close(found[0], expected, rtol=1e-4, atol=0)
    for name, value in (("max", found.amax()), ("mean", found.mean()), ("min", found.amin())):
        torch.testing.assert_close(readings[f"hessian/{name}"], value.unsqueeze(0))


def quadratic(spectrum: Tensor) -> Tensor:
    """A symmetric matrix with this spectrum in a random basis."""
    n, generator = len(spectrum), torch.Generator().manual_seed(0)
    noise = torch.randn(n, n, dtype=torch.float64, generator=generator)
    basis, _ = torch.linalg.qr(noise)
    return basis * spectrum @ basis.T


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_eigenvalues_of_a_quadratic_are_its_own_of_either_sign(k: int) -> None:
    spectrum = torch.linspace(-1, 1, 80, dtype=torch.float64)
    spectrum[:5] = torch.tensor([-9.0, 8.0, 4.0, -3.0, 2.0])
    H = quadratic(spectrum)
    found = top_eigenvalues(lambda v: H @ v, 80, k)
    torch.testing.assert_close(found, largest(H, k), rtol=1e-5, atol=0)
    assert torch.equal(found, top_eigenvalues(lambda v: H @ v, 80, k))


def nan(k: int) -> Tensor:
    return torch.full((k,), torch.nan, dtype=torch.float64)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 0.0])
def test_a_matrix_that_is_zero_or_not_finite_has_no_eigenvalues(value: float) -> None:
    found = top_eigenvalues(lambda v: value * torch.ones_like(v), 50, 2)
    torch.testing.assert_close(found, nan(2), equal_nan=True)


def test_eigenvalues_that_do_not_converge_are_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    spectrum = torch.linspace(-1, 1, 3000, dtype=torch.float64)
    slow = [top_eigenvalues(lambda v: spectrum * v, 3000, 3)]
    monkeypatch.setattr(hessian, "MAX_RESTARTS", 1)
    slow.append(top_eigenvalues(lambda v: spectrum * v, 3000, 3))
    assert not slow[0].isnan().any()
    torch.testing.assert_close(slow[1], nan(3), equal_nan=True)


@pytest.mark.parametrize("form", ["full", "folded", "table"])
def test_products_do_not_depend_on_the_form_of_the_network(form: Form) -> None:
    stack = make()
    other = make_stack(stack.config, form=form)
    with torch.no_grad():
        other.theta.copy_(stack.theta)
    v = torch.linspace(-1, 1, stack.n_trained, dtype=torch.float64)
    torch.testing.assert_close(hessian_product(other, 0)(v), hessian_product(stack, 0)(v))


def test_curvature_of_a_stack_is_that_of_its_runs() -> None:
    stack = make(n_runs=3)
    together = loss_curvature(stack.snapshot())["hessian/max"]
    for run in range(3):
        expected = largest(dense_hessian(stack, run), 3).amax()
        torch.testing.assert_close(together[run], expected, rtol=1e-4, atol=0)


def test_a_run_that_is_frozen_or_not_finite_is_not_read_and_leaves_its_neighbours_alone() -> None:
    stack = make(n_runs=3)
    expected = loss_curvature(stack.snapshot())
    stack.finish_run(0)
    with torch.no_grad():
        stack.theta[1] = torch.nan
    for key, value in loss_curvature(stack.snapshot()).items():
        assert value[:2].isnan().all()
        torch.testing.assert_close(value[2], expected[key][2])


def test_reading_the_curvature_changes_no_bit_of_run_or_generator() -> None:
    stack, unread = (make(dtype="float32", dropout=0.2, batch_size=8) for _ in range(2))
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    for each in (stack, unread):
        each.advance(2)
    loss_curvature(stack.snapshot())
    assert torch.equal(torch.random.get_rng_state(), state)
    for each in (stack, unread):
        each.advance(2)
    assert torch.equal(stack.theta, unread.theta)


def test_n_eigenvalues_of_the_config_is_how_many_are_read() -> None:
    readings = loss_curvature(make(n_eigenvalues=2).snapshot())
    assert {key for key in readings if "eigenvalue" in key} == {
        "hessian/eigenvalue/0",
        "hessian/eigenvalue/1",
    }


@pytest.mark.slow
def test_a_product_in_float32_is_good_to_a_hundred_thousandth_of_its_norm() -> None:
    single, double = make_stack(paper()), make_stack(paper(dtype="float64"))
    single.advance(20)
    with torch.no_grad():
        double.theta.copy_(single.theta)
    generator = torch.Generator().manual_seed(1)
    v = torch.randn(single.n_trained, dtype=torch.float64, generator=generator)
    exact = hessian_product(double, 0)(v)
    assert (hessian_product(single, 0)(v) - exact).norm() <= 1e-5 * exact.norm()
