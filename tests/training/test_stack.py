"""A stack of runs is the same runs one by one, in plain torch."""

from typing import Any

import pytest
import torch

from grok.config import RunConfig
from grok.models.config import NormConfig, norm_config
from grok.training import Stack
from tests.builders import changed, data_of, make_stack, tiny
from tests.plain import plain_name, train_plain

N_STEPS = 50
# Runs of one stack differ in all of these at once.
PER_RUN: list[dict[str, Any]] = [
    {"init_seed": 3, "split_seed": 1, "order_seed": 5, "lr": 1e-3, "weight_decay": 1.0},
    {"init_seed": 1, "split_seed": 1, "order_seed": 2, "lr": 3e-3, "weight_decay": 0.0}
    | {"readout_scale": 0.5, "betas": (0.9, 0.999)},
    {"init_seed": 1, "split_seed": 2, "order_seed": 5, "lr": 5e-4, "weight_decay": 3.0}
    | {"temperature": 2.0, "init_scale": 0.8, "betas": (0.8, 0.95)},
]
SHARED: dict[str, dict[str, Any]] = {
    "adamw": {},
    "adam": {"kind": "adam"},
    "sgd": {"kind": "sgd"},
    "sgd with momentum": {"kind": "sgd", "momentum": 0.9},
    "warm-up": {"warmup": 10},
    "warm-up of momentum": {"kind": "sgd", "momentum": 0.9, "warmup": 10},
    "no decay of biases and embeddings": {"decay_exempt": ("bias", "embed")},
    "no decay of norms and unembedding": {
        "decay_exempt": ("norm", "unembed"),
        "norm": norm_config("pre", eps=1e-3),
    },
    "adam without decay of biases": {"kind": "adam", "decay_exempt": ("bias",)},
    "l1": {"l1": 1e-3},
    "l1 with norms that nothing reads": {
        "l1": 1e-3,
        "norm": norm_config("mlp", build_unused=True),
    },
    "mean squared error": {"loss": "mse"},
    "mini-batches": {"batch_size": 8},
    "initial prediction subtracted": {"subtract_initial": True},
    "initial prediction of a deep network subtracted": {"subtract_initial": True, "n_layers": 2},
    "initial prediction subtracted in mini-batches": {"subtract_initial": True, "batch_size": 8},
    "the setting of Kumar et al.": {
        "subtract_initial": True,
        "lr_rule": "inverse_square_readout",
        "loss": "mse",
        "kind": "sgd",
    },
    "rate over squared readout scale": {"lr_rule": "inverse_square_readout"},
    "rate times decay held": {"hold": "eta_lambda", "lr_rule": "inverse_square_readout"},
    "frozen norms": {"norm": norm_config("peri", affine="frozen", eps=1e-3)},
    "unused norms": {"norm": norm_config("mlp", build_unused=True, eps=1e-3)},
    "rms": {"norm": norm_config("pre", kind="rms", eps=1e-3)},
    "post-norm and final norm": {"norm": NormConfig(post=True, final=True, eps=1e-3)},
    "QK-norm": {"norm": norm_config("qk_norm", eps=1e-3)},
    "depth 2": {"n_layers": 2, "causal": True},
    "attention alone": {"attn_only": True, "norm": norm_config("peri", mlp=False, eps=1e-3)},
    "tied": {"tied": True, "output_equals": False},
    "glu": {"act": "glu", "bias_qkv": True, "bias_out": True},
    "composition in S3": {"operation": "compose", "group": "S3", "p": 113},
}

# A bias of all keys alike has no gradient but its rounding error, which Adam scales up to a step.
# It shifts all scores of a row, so that nothing else sees it.
NO_GRADIENT = ("K.bias", "ln_k.bias")


def runs(**fields: Any) -> list[RunConfig]:
    return [tiny(**(fields | per_run)) for per_run in PER_RUN]


def distance_to_plain(stack: Stack, n_steps: int) -> float:
    """Largest difference of any parameter of any run from the same run in plain torch."""
    stack.advance(n_steps)
    distance = 0.0
    for run, (config, data) in enumerate(zip(stack.configs, stack.problem.data, strict=True)):
        plain = train_plain(config, data, n_steps)
        ours = {plain_name(name): x[run] for name, x in stack.named(stack.theta).items()}
        assert ours.keys() == plain.keys()
        for name, x in ours.items():
            if name.endswith(NO_GRADIENT):
                continue
            distance = max(distance, (x - plain[name]).abs().max().item())
    return distance


@pytest.mark.parametrize("fields", SHARED.values(), ids=SHARED.keys())
def test_a_stack_equals_its_runs_one_by_one_in_plain_torch(fields: dict[str, Any]) -> None:
    assert distance_to_plain(make_stack(*runs(**fields)), N_STEPS) < 1e-12


@pytest.mark.parametrize("form", ["full", "last", "token", "folded", "table"])
@pytest.mark.parametrize("n_runs", [1, 3])
def test_every_form_trains_like_plain_torch(form: Any, n_runs: int) -> None:
    configs = runs(p=13, d_model=32, n_heads=4)[:n_runs]
    assert distance_to_plain(make_stack(*configs, form=form), N_STEPS) < 1e-13


def test_float32_is_within_a_tenth_of_the_rate_of_float64_after_one_step() -> None:
    # Measured 0.01 to 0.04; an optimiser that reads a transposed gradient is off by 2.
    configs = [tiny(p=31, d_model=64, d_mlp=256, init_seed=seed) for seed in range(2)]
    double = make_stack(*configs, form="full")
    double.advance(1)
    for form in ("full", "last", "token", "folded", "table"):
        single = make_stack(*[changed(c, dtype="float32") for c in configs], form=form)
        single.advance(1)
        assert (single.theta.double() - double.theta).abs().max() < 0.1 * 1e-3


@pytest.mark.parametrize(("name", "form"), [("none", None), ("mlp", None), ("none", "table")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bytes_do_not_depend_on_the_neighbours(name: str, form: Any, dtype: str) -> None:
    """In stacks of two and more; a stack of one may take another matrix kernel."""
    norm = norm_config(name, eps=1e-3)
    configs = [
        tiny(init_seed=s, split_seed=s, lr=1e-3 * (s + 1), norm=norm, dtype=dtype) for s in range(5)
    ]
    expected: dict[int, torch.Tensor] = {}
    for seeds in [(0, 1, 2, 3, 4), (4, 0), (1, 3), (2, 4, 1), (3, 2, 1, 0)]:
        stack = make_stack(*[configs[s] for s in seeds], form=form)
        stack.advance(30)
        for seed, theta in zip(seeds, stack.theta, strict=True):
            assert torch.equal(theta, expected.setdefault(seed, theta))


def test_an_update_is_the_gradient_of_the_own_loss_alone() -> None:
    stack = make_stack(*runs())
    losses, grad = stack.gradient()
    for run in range(3):
        own = torch.autograd.grad(stack.losses()[run], stack.leaves)
        flat = torch.cat([part.reshape(3, -1) for part in own], dim=1)
        torch.testing.assert_close(flat[run], grad[run])
        assert (flat[torch.arange(3) != run] == 0).all()
    torch.testing.assert_close(losses, stack.losses().detach())


def test_subtracting_the_initial_prediction_makes_the_first_logits_0() -> None:
    stack = make_stack(*runs(subtract_initial=True))
    ln_8 = torch.tensor(8.0, dtype=torch.float64).log().expand(3)
    torch.testing.assert_close(stack.losses().detach(), ln_8, rtol=0, atol=1e-12)


def test_the_loss_is_computed_in_float64_unless_asked_otherwise() -> None:
    assert make_stack(tiny(dtype="float32")).losses().dtype == torch.float64
    single = make_stack(tiny(dtype="float32", loss_dtype="float32"))
    assert single.losses().dtype == torch.float32


def test_temperature_is_the_inverse_of_a_readout_scale_at_the_same_rate() -> None:
    stack = make_stack(tiny(readout_scale=0.5), tiny(temperature=2.0))
    stack.advance(30)
    torch.testing.assert_close(stack.theta[0], stack.theta[1], rtol=0, atol=0)


def test_blocks_may_end_anywhere() -> None:
    configs = runs(batch_size=8, warmup=10)
    whole, single, mixed = (make_stack(*configs) for _ in range(3))
    whole.advance(10)
    for _ in range(10):
        single.advance(1)
    for n_steps in (3, 0, 7):
        mixed.advance(n_steps)
    assert whole.step == single.step == mixed.step == 10
    assert torch.equal(whole.theta, single.theta)
    assert torch.equal(whole.theta, mixed.theta)


def test_a_block_ends_early_when_told_to() -> None:
    stack, short = make_stack(*runs()), make_stack(*runs())
    answers = iter([False, False, False, True])
    stack.advance(10, lambda: next(answers))
    short.advance(3)
    assert stack.step == 3
    assert torch.equal(stack.theta, short.theta)


def test_only_the_last_update_of_a_whole_block_can_be_measured() -> None:
    stack = make_stack(*runs())
    assert not stack.snapshot().has("delta")
    stack.advance(4)
    before = stack.theta.clone()
    stack.advance(1)
    assert stack.previous is not None
    assert torch.equal(stack.previous, before)
    answers = iter([False, True])
    stack.advance(10, lambda: next(answers))  # the block was cut before its last update
    assert not stack.snapshot().has("delta")


def test_data_of_every_run_are_those_of_its_own_split() -> None:
    configs = runs()
    stack = make_stack(*configs)
    for run, data in enumerate(data_of(configs)):
        assert torch.equal(stack.problem.train[run], data.train)
        assert torch.equal(stack.problem.test[run], data.test)
        assert torch.equal(stack.problem.c[run], data.c)
