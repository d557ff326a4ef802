"""Tangent kernels of a stack against Jacobians of plain torch, one pair and class at a time."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from grok.config import MeasuresConfig
from grok.config.measures import KernelConfig
from grok.measures import kernel_drift
from grok.models.config import norm_config
from grok.training import Stack, restore, state_of
from grok.training.kernel import (
    centred_directions,
    kernel_pair,
    tangent_kernel,
    tangent_kernels,
)
from tests.builders import EVERY_PLACEMENT, NORM_KINDS, VARIANTS, data_of, make_stack, paper, tiny
from tests.plain import PlainTransformer

NETWORKS: dict[str, dict[str, Any]] = {
    **VARIANTS,
    **{name: {"norm": norm} for name, norm in NORM_KINDS.items()},
    **{norm.name: {"norm": norm} for norm in EVERY_PLACEMENT[::5]},
    "unused norms": {"norm": norm_config("mlp", eps=1e-3, build_unused=True)},
    "depth 2, pre": {"n_layers": 2, "norm": norm_config("pre", eps=1e-3)},
    "initial prediction subtracted": {"subtract_initial": True},
    "temperature": {"temperature": 3.0},
    "dropout": {"dropout": 0.2},
}


def make(n_runs: int = 1, n_pairs: int = 4, n_projections: int = 3, **fields: Any) -> Stack:
    """Runs at random parameters, so that no bias and no gain is neutral."""
    kernel = KernelConfig(n_pairs=n_pairs, n_projections=n_projections)
    sizes: dict[str, Any] = {"p": 5, "d_model": 8, "d_mlp": 12}
    configs = [
        tiny(
            init_seed=s,
            split_seed=s,
            readout_scale=1.5 + s,
            measures=MeasuresConfig(kernel=kernel),
            **(sizes | fields),
        )
        for s in range(n_runs)
    ]
    stack = make_stack(*configs)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(stack.theta.shape, dtype=stack.dtype, generator=generator)
    with torch.no_grad():
        stack.theta.add_(0.3 * noise)
    return stack


def plain_jacobian(stack: Stack, run: int, pairs: Tensor) -> Tensor:
    """Jacobian of the scaled logits ``[pair, class, weight]``, by one gradient at a time."""
    config, data = stack.configs[run], data_of(stack.configs)[run]
    plain = PlainTransformer(config.model, data.n)
    plain.load({name: x[run] for name, x in stack.named(stack.theta).items()})
    leaves = [parameter for parameter in plain.parameters() if parameter.requires_grad]
    rows = []
    for pair in pairs:
        h = config.model.readout_scale * plain(data.tokens[pair].unsqueeze(0)).logits[0, -1]
        grads = [torch.autograd.grad(x, leaves, retain_graph=True, allow_unused=True) for x in h]
        flat = [torch.cat([g.flatten() for g in grad if g is not None]) for grad in grads]
        rows.append(torch.stack(flat))
    return torch.stack(rows)


@pytest.mark.parametrize("fields", NETWORKS.values(), ids=NETWORKS.keys())
def test_kernels_are_those_of_the_jacobians_of_plain_torch(fields: dict[str, Any]) -> None:
    stack = make(n_pairs=3, **fields)
    pairs = torch.cat([stack.problem.train[0, :3], stack.problem.test[0, :3]])
    J = plain_jacobian(stack, 0, pairs)
    kernels = tangent_kernels(stack, stack.theta)
    J_sum = J[:3].sum(dim=1)
    torch.testing.assert_close(kernels.sum[0], J_sum @ J_sum.T)
    J_v = torch.einsum("icw,vc->ivw", J, centred_directions(3, J.shape[1])).flatten(1)
    torch.testing.assert_close(kernels.trace[0], J_v @ J_v.T)


def test_all_centred_directions_give_the_trace_over_centred_classes() -> None:
    stack = make()
    pairs, n_classes = stack.problem.test[0, :5], stack.problem.model.n_classes
    J = plain_jacobian(stack, 0, pairs)
    J_centred = (J - J.mean(dim=1, keepdim=True)).flatten(1)
    ones = torch.ones(n_classes, 1, dtype=torch.float64)
    # The first column of a full basis that starts with 1 is along 1, the others are across.
    basis, _ = torch.linalg.qr(torch.cat([ones, torch.eye(n_classes)[:, 1:].double()], dim=1))
    K = tangent_kernel(stack, stack.theta, 0, pairs, basis.T[1:])
    torch.testing.assert_close(K, J_centred @ J_centred.T)


def test_directions_average_to_the_projection_across_the_uniform_direction() -> None:
    n, n_classes = 200_000, 6
    v = centred_directions(n, n_classes)
    torch.testing.assert_close(v.sum(dim=1), torch.zeros(n, dtype=torch.float64))
    expected = torch.eye(n_classes, dtype=torch.float64) - 1 / n_classes
    # The mean of n products of Gaussians is good to some sqrt(2 / n) = 0.003; four times that.
    torch.testing.assert_close(v.T @ v, expected, rtol=0, atol=0.013)


def test_directions_are_the_same_at_every_call_and_leave_the_generator_of_torch_alone() -> None:
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    assert torch.equal(centred_directions(4, 9), centred_directions(4, 9))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_kernel_of_some_pairs_is_a_block_of_the_kernel_of_more() -> None:
    stack, directions = make(), centred_directions(2, 6)
    pairs = stack.problem.train[0, :9]
    K = tangent_kernel(stack, stack.theta, 0, pairs, directions)
    part = tangent_kernel(stack, stack.theta, 0, pairs[3:7], directions)
    torch.testing.assert_close(part, K[3:7, 3:7])


def test_nothing_has_drifted_at_step_0_and_something_has_after_an_update() -> None:
    stack = make_stack(tiny(init_seed=1), tiny(init_seed=2))
    readings = kernel_drift(stack.snapshot())
    for kernel in ("sum", "trace"):
        for what in ("drift", "one_minus_cosine"):
            zero = torch.zeros(2, dtype=torch.float64)
            torch.testing.assert_close(readings[f"kernel/{kernel}_{what}"], zero)
    stack.advance(1)
    readings = kernel_drift(stack.snapshot())
    assert (readings["kernel/sum_drift"] > 1e-3).all()
    assert (readings["kernel/trace_drift"] > 1e-3).all()


def test_kernels_grow_with_the_square_of_the_readout_scale_and_drift_does_not() -> None:
    stacks = [make_stack(tiny(readout_scale=alpha)) for alpha in (1.0, 3.0)]
    with torch.no_grad():
        for stack in stacks:
            stack.theta.mul_(1.1)  # the same parameters for both
    small, large = (kernel_drift(stack.snapshot()) for stack in stacks)
    for key, value in small.items():
        factor = 9 if key.endswith("init_norm") else 1
        torch.testing.assert_close(large[key], factor * value, msg=key)
    assert small["kernel/sum_drift"] > 0.1


def test_kernels_are_on_the_first_pairs_of_each_split_or_on_all_there_are() -> None:
    part = kernel_pair(make(n_runs=2))
    assert part.now.sum.shape == (2, 4, 4)
    assert part.now.trace.shape == (2, 8, 8)
    stack = make(n_runs=2, n_pairs=1000)
    part = kernel_pair(stack)
    assert part.now.trace.shape == (2, 25, 25)
    torch.testing.assert_close(part.labels["test"], stack.problem.c.gather(1, stack.problem.test))


def test_kernels_of_a_stack_are_those_of_its_runs() -> None:
    stack = make(n_runs=3)
    together = tangent_kernels(stack, stack.theta)
    for run, config in enumerate(stack.configs):
        alone = make_stack(config)
        apart = tangent_kernels(alone, stack.theta[run : run + 1])
        torch.testing.assert_close(together.sum[run], apart.sum[0])
        torch.testing.assert_close(together.trace[run], apart.trace[0])


def test_a_run_that_is_not_finite_leaves_its_neighbours_alone() -> None:
    stack = make(n_runs=2)
    expected = kernel_drift(stack.snapshot())
    with torch.no_grad():
        stack.theta[0] = torch.nan
    for key, value in kernel_drift(stack.snapshot()).items():
        torch.testing.assert_close(value[1], expected[key][1])
        assert value[0].isnan() or key.endswith("init_norm")


def test_initial_kernels_and_parameters_of_a_resumed_run_are_the_same_bits() -> None:
    stack, resumed = make_stack(tiny(dtype="float32")), make_stack(tiny(dtype="float32"))
    start = stack.theta.clone()
    before = stack.problem.initial_kernels(stack)
    stack.advance(3)
    parameters, moments = state_of(stack, 0)
    restore(resumed, 0, 3, parameters | moments)
    assert torch.equal(resumed.initial, start)
    for ours, theirs in zip(resumed.problem.initial_kernels(resumed), before, strict=True):
        assert torch.equal(ours, theirs)


def test_in_float32_a_kernel_is_good_to_a_millionth_of_its_norm() -> None:
    stack = make(n_pairs=10)
    exact = tangent_kernels(stack, stack.theta)
    single = make_stack(replace(stack.config, dtype="float32"))
    rounded = tangent_kernels(single, stack.theta.float())
    for K, K_exact in zip(rounded, exact, strict=True):
        assert K.dtype == torch.float64
        assert (K - K_exact).norm() <= 1e-6 * K_exact.norm()


@pytest.mark.slow
def test_in_float32_a_kernel_of_the_paper_is_good_to_a_millionth_of_its_norm() -> None:
    single, double = make_stack(paper()), make_stack(paper(dtype="float64"))
    exact = tangent_kernels(double, single.theta.double())
    for K, K_exact in zip(tangent_kernels(single, single.theta), exact, strict=True):
        assert (K - K_exact).norm() <= 1e-6 * K_exact.norm()
