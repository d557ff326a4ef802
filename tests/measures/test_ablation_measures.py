"""Ablations of a network whose circuit is known, and of any network against them written out."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from grok.config import RunConfig
from grok.config.measures import FamilyConfig, MeasuresConfig, ProgressConfig
from grok.data.config import DataConfig
from grok.measures import MEASURES, Readings
from grok.models.config import NormConfig
from grok.training import Stack
from tests.builders import make_stack, random_parameters, tiny
from tests.fourier_network import fourier_config, fourier_parameters
from tests.plain import PlainTransformer
from tests.plain_ablation import PlainAblation

ALPHA = {3: 7.0, 4: 6.0, 5: 5.0}


def ablating(config: RunConfig, **progress: Any) -> RunConfig:
    measures = MeasuresConfig(
        progress=ProgressConfig(**progress), ablation=FamilyConfig(enabled=True)
    )
    return replace(config, measures=measures)


def read(stack: Stack) -> Readings:
    return MEASURES["ablation"](stack.snapshot())


def loss_of(p: int, alpha: dict[int, float]) -> Tensor:
    """Cross-entropy of a sum of cosines of a + b - c."""
    return cosines(p, alpha).logsumexp(0) - sum(alpha.values())


def cosines(p: int, alpha: dict[int, float]) -> Tensor:
    d = torch.arange(p).double()
    return torch.stack([c * torch.cos(2 * math.pi * k * d / p) for k, c in alpha.items()]).sum(0)


@pytest.mark.parametrize("p", [10, 11])
def test_a_known_circuit_needs_its_waves_and_nothing_else(p: int) -> None:
    """Its stream beside attention and MLP is not read, and its heads do not look where they are."""
    config = RunConfig(
        data=DataConfig(p=p, train_fraction=0.4), model=fourier_config(p, 3), dtype="float64"
    )
    stack = make_stack(ablating(config))
    for name, value in fourier_parameters(p, ALPHA).items():
        stack.params[name].data[0] = value
    found = read(stack)
    whole = loss_of(p, ALPHA)
    # With no wave left, and with no number in the stream, every pair has the logits of a + b = 0.
    same_for_all = cosines(p, ALPHA).logsumexp(0)
    unchanged = ("A2", "A3", "A5", "A7/zero", "A7/mean", "A9", "A11", "A12")
    expected = dict.fromkeys(unchanged, whole) | {"A6": same_for_all, "A8": same_for_all}
    for k in range(1, p // 2 + 1):
        expected[f"A4/{k}"] = loss_of(p, {j: c for j, c in ALPHA.items() if j != k})
    for name, loss in expected.items():
        torch.testing.assert_close(
            found[f"ablation/{name}"][0], loss, rtol=1e-7, atol=1e-9, msg=name
        )


NETWORKS: dict[str, dict[str, Any]] = {
    "relu": {"act": "relu"},
    "even p": {"p": 8, "act": "relu"},
    "subtraction": {"operation": "sub", "act": "relu"},
    "glu, all biases, causal": {
        "act": "glu",
        "causal": True,
        "bias_qkv": True,
        "bias_out": True,
        "bias_unembed": True,
    },
    "tied, scaled": {"tied": True, "readout_scale": 2.0, "temperature": 3.0},
    "initial prediction subtracted": {"subtract_initial": True, "operation": "sub"},
    "normed reads": {"norm": NormConfig(q=True, k=True, v=True, mlp=True, qk_proj=True, eps=1e-3)},
    "normed branches and stream": {
        "p": 8,
        "norm": NormConfig(peri=True, post=True, final=True, eps=1e-3),
    },
}


def random_stack(n_runs: int, keys: tuple[int, ...], **fields: Any) -> Stack:
    """Runs with random weights, of which some neurons follow frequency 2."""
    config = ablating(tiny(**fields), keys=keys)
    configs = [
        replace(config, model=replace(config.model, init_seed=seed)) for seed in range(n_runs)
    ]
    stack = make_stack(*configs)
    p = config.data.p
    for name, value in random_parameters(stack.problem.model, n_runs).items():
        stack.params[name].data[:] = 2 * value if "W_Q" in name else value
    W_E = stack.params["W_E"].data
    angle = 4 * math.pi * torch.arange(p).double()[:, None] / p
    cos, sin = W_E[:, :1].clone(), W_E[:, 1:2].clone()
    W_E[:, :p] = 0.3 * W_E[:, :p] + angle.cos() * cos + angle.sin() * sin
    return stack


def plain_losses(stack: Stack, run: int, keys: tuple[int, ...]) -> tuple[dict[str, Tensor], int]:
    config = stack.configs[run]
    parameters = {name: x[run].detach() for name, x in stack.params.items()}
    model = PlainTransformer(config.model, config.data.p).load(parameters)
    initial = stack.problem.initial_logits
    f_0 = None if initial is None else initial[run]
    with torch.no_grad():
        plain = PlainAblation(config, model, f_0)
        return plain.losses(keys), plain.n_pure


@pytest.mark.parametrize("fields", NETWORKS.values(), ids=NETWORKS.keys())
def test_ablations_are_those_of_the_program_written_out(fields: dict[str, Any]) -> None:
    """Of two runs at once, every pair through every position."""
    keys = (1, fields.get("p", 7) // 2)
    stack = random_stack(2, keys, **fields)
    found = read(stack)
    for run in range(2):
        expected, n_pure = plain_losses(stack, run, keys)
        assert {f"ablation/{name}" for name in expected} == found.keys()
        for name, loss in expected.items():
            torch.testing.assert_close(found[f"ablation/{name}"][run], loss, msg=name)
        if fields == NETWORKS["relu"]:
            assert 0 < n_pure < stack.config.model.d_mlp
        distinct = torch.stack(list(expected.values())).unique()
        assert len(distinct) == len(expected), "an ablation that does what another does"


def test_the_keys_are_those_of_the_progress_measures() -> None:
    stack = random_stack(1, (3,), act="relu")
    both = MeasuresConfig(
        progress=ProgressConfig(enabled=True, keys=(3,)), ablation=FamilyConfig(enabled=True)
    )
    twin = make_stack(replace(stack.config, measures=both))
    twin.theta[:] = stack.theta
    progress, found = MEASURES["progress"](twin.snapshot()), read(stack)
    assert float(progress["progress/n_keys"]) == 1
    for name, key in (("A2", "sum"), ("A3", "block3x3"), ("A12", "cube")):
        torch.testing.assert_close(
            found[f"ablation/{name}"], progress[f"progress/restricted/{key}/all"]
        )


@pytest.mark.parametrize(
    ("fields", "keys", "message"),
    [
        (
            {"operation": "mul"},
            (),
            "ablation.enabled=true needs data.operation add or sub, not mul",
        ),
        ({"n_layers": 2}, (), "measures.ablation.enabled=true needs model.n_layers 1, not 2"),
        ({}, (4,), "measures.progress.keys has 4: allowed are 1 to 3"),
    ],
)
def test_what_has_no_ablations_is_refused(
    fields: dict[str, Any], keys: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ablating(tiny(**fields), keys=keys)
