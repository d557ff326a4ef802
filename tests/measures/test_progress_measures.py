"""Progress measures of networks whose circuit is known."""

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from grok.config import RunConfig
from grok.config.measures import MeasuresConfig, ProgressConfig
from grok.data.config import DataConfig
from grok.keys import find_key
from grok.measures import MEASURES, Readings
from grok.metrics.logit_waves import cosine_coefficients, without_cosines
from grok.metrics.loss import accuracy, cross_entropy
from grok.metrics.pair_waves import BLOCKS
from grok.metrics.progress import excluded_logits, restricted_logits
from grok.training import Stack
from tests.builders import make_stack, random_parameters, tiny
from tests.fourier_network import fourier_config, fourier_parameters

ALPHA = {3: 7.0, 4: 6.0, 5: 5.0}
ORDERS = (10, 11)


def measuring(config: RunConfig, **progress: Any) -> RunConfig:
    return replace(
        config, measures=MeasuresConfig(progress=ProgressConfig(enabled=True, **progress))
    )


def fourier_stack(p: int, operation: Any = "add", **progress: Any) -> Stack:
    """A stack of two such networks, the second with larger logits."""
    config = RunConfig(
        data=DataConfig(p=p, operation=operation, train_fraction=0.4),
        model=fourier_config(p, len(ALPHA)),
        dtype="float64",
    )
    config = measuring(config, **progress)
    second = replace(config, data=replace(config.data, split_seed=1))
    stack = make_stack(config, second)
    for run, factor in enumerate((1.0, 1.5)):
        weights = fourier_parameters(p, {k: factor * c for k, c in ALPHA.items()})
        if operation == "sub":  # a - b + p in place of a + b
            weights["W_E"][p, 0] = p / 3
            weights["W_pos"][:, 0] = 0.0
        for name, value in weights.items():
            stack.params[name].data[run] = value
    return stack


def read(stack: Stack) -> Readings:
    return MEASURES["progress"](stack.snapshot())


def loss_of(p: int, alpha: dict[int, float]) -> Tensor:
    """Cross-entropy of a sum of cosines, the same for every pair."""
    d = torch.arange(p, dtype=torch.float64)
    logits = sum((c * torch.cos(2 * math.pi * k * d / p) for k, c in alpha.items()), start=0 * d)
    return logits.logsumexp(0) - logits[0]


@pytest.mark.parametrize("p", ORDERS)
def test_the_circuit_of_a_known_network_is_found(p: int) -> None:
    readings = read(fourier_stack(p))
    for run, factor in enumerate((1.0, 1.5)):
        alpha = {k: factor * c for k, c in ALPHA.items()}
        found = {key: float(x[run]) for key, x in readings.items()}
        keys = {k for k in range(1, p // 2 + 1) if found[f"progress/key/{k}"]}
        assert keys == set(ALPHA)
        assert found["progress/n_keys"] == len(ALPHA)
        whole, uniform = float(loss_of(p, alpha)), math.log(p)
        variants = ("sum", "block2x2", "block3x3", "cube", "mlp")
        expected = {"loss/all": whole, "progress/power_in_keys": 1, "progress/outside_keys": 0}
        for split in ("train", "test", "all"):
            expected[f"progress/restricted_acc/{split}"] = 1
            for variant in variants:
                expected[f"progress/restricted/{variant}/{split}"] = whole
                expected[f"progress/excluded/{variant}/{split}"] = uniform
        single = {
            k: float(loss_of(p, {j: c for j, c in alpha.items() if j != k}))
            for k in range(1, p // 2 + 1)
        }
        expected |= {f"progress/excluded_single/{k}": x for k, x in single.items()}
        expected["progress/excluded_max"] = max(single.values())
        expected["progress/test_over_restricted"] = 1
        expected |= {f"progress/fve/{c}": 1 for c in ("raw", "row_centred", "centred")}
        expected |= {f"progress/alpha/{k}": alpha.get(k, 0) for k in range(1, p // 2 + 1)}
        for key, value in expected.items():
            assert found[key] == pytest.approx(value, rel=1e-7, abs=1e-6), key


def test_every_reading_has_a_key_of_the_family() -> None:
    for key in read(fourier_stack(11)):
        row = find_key(key)
        assert row is not None
        assert row.family == "progress" or key == "loss/all"


def test_given_keys_stand_in_place_of_the_rule() -> None:
    readings = read(fourier_stack(11, keys=(4,)))
    assert float(readings["progress/n_keys"][0]) == 1
    rest = {k: c for k, c in ALPHA.items() if k != 4}
    torch.testing.assert_close(readings["progress/excluded/sum/all"][0], loss_of(11, rest))
    torch.testing.assert_close(readings["progress/restricted/cube/test"][0], loss_of(11, {4: 6.0}))


def test_the_embedding_has_keys_of_its_own() -> None:
    stack = fourier_stack(11, rule="E")
    W_E = stack.params["W_E"].data
    W_E[:, :11, 0] = 0  # the number itself has every frequency
    wave = torch.cos(2 * math.pi * 2 * torch.arange(11).double() / 11)
    W_E[:, :11, 1] += wave
    readings = read(stack)
    assert [float(readings[f"progress/key/{k}"][0]) for k in range(1, 6)] == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("operation", ["add", "sub"])
@pytest.mark.parametrize("fields", [{}, {"tied": True}, {"n_layers": 2}, {"act": "glu"}], ids=str)
def test_readings_are_those_of_the_model(operation: Any, fields: dict[str, Any]) -> None:
    """Any network: loss of all pairs, and W_L as the derivative of the logits by the neurons."""
    stack = make_stack(measuring(tiny(operation=operation, **fields)))
    stack.advance(3)
    circuit = stack.snapshot().circuit
    p = stack.problem.data[0].n
    pair = torch.arange(p * p)
    a, b = pair // p, pair % p if operation == "add" else -(pair % p) % p
    tokens = torch.stack([a, b, torch.full_like(a, p)], dim=-1)[None]
    full = stack.problem.model.forward(stack.params, tokens)
    logits = full.logits[:, :, -1, :p].detach()
    torch.testing.assert_close(circuit.logits, logits)
    torch.testing.assert_close(circuit.neurons, full.blocks[-1].mlp_post[:, :, -1].detach())
    torch.testing.assert_close(circuit.to_first, full.blocks[0].pattern[:, :, :, -1, 0].detach())
    labels = (a + b) % p if operation == "add" else (a - b) % p
    torch.testing.assert_close(read(stack)["loss/all"], cross_entropy(logits, labels))
    is_train = torch.zeros(p * p, dtype=torch.bool)
    rows = stack.problem.train[0]
    a, b = stack.problem.a[0, rows], stack.problem.b[0, rows]
    is_train[a * p + (b * (1 if operation == "add" else -1)) % p] = 1
    assert torch.equal(circuit.is_train[0], is_train)
    torch.testing.assert_close(
        torch.stack([read(stack)[f"progress/alpha/{k}"] for k in range(1, p // 2 + 1)], dim=-1),
        cosine_coefficients(logits)[:, 1:],
    )


@pytest.mark.parametrize("p", [7, 8])
def test_losses_are_those_of_the_logits_written_out(p: int) -> None:
    """Two runs of random weights, whose key sets differ in size."""
    stack = make_stack(measuring(tiny(p=p)), measuring(tiny(p=p, init_seed=3, split_seed=3)))
    for name, value in random_parameters(stack.problem.model, 2).items():
        stack.params[name].data[:] = value
    readings, circuit = read(stack), stack.snapshot().circuit
    is_key = torch.stack([readings[f"progress/key/{k}"] for k in range(p // 2 + 1) if k], dim=-1)
    is_key = torch.cat([torch.zeros(2, 1), is_key], dim=-1) == 1
    logits, pair = circuit.logits, torch.arange(p * p)
    through = circuit.neurons @ circuit.neuron_logit_map.mT
    cubes = without_cosines(logits, is_key)
    expected = {
        "cube": (logits - cubes, cubes),
        "mlp": (
            logits - through + restricted_logits(through, is_key),
            logits - through + excluded_logits(through, is_key),
        ),
    } | {
        b: (restricted_logits(logits, is_key, b), excluded_logits(logits, is_key, b))
        for b in BLOCKS
    }
    labels = (pair // p + pair % p) % p
    splits = {
        "train": circuit.is_train,
        "test": ~circuit.is_train,
        "all": torch.ones(2, p * p) == 1,
    }
    for (variant, both), (split, rows), run in itertools.product(
        expected.items(), splits.items(), range(2)
    ):
        for name, x in zip(("restricted", "excluded"), both, strict=True):
            loss = cross_entropy(x[run, rows[run]], labels[rows[run]])
            key = f"progress/{name}/{variant}/{split}"
            torch.testing.assert_close(readings[key][run], loss, msg=key)
        right = accuracy(both[0][run, rows[run]], labels[rows[run]])
        if variant == "sum":
            torch.testing.assert_close(readings[f"progress/restricted_acc/{split}"][run], right)


def test_scale_and_temperature_are_in_logits_and_map() -> None:
    plain = make_stack(measuring(tiny()))
    scaled = make_stack(measuring(tiny(readout_scale=3.0, temperature=2.0)))
    ours, theirs = scaled.snapshot().circuit, plain.snapshot().circuit
    torch.testing.assert_close(ours.logits, 1.5 * theirs.logits)
    torch.testing.assert_close(ours.neuron_logit_map, 1.5 * theirs.neuron_logit_map)


def test_behind_a_norm_the_neurons_have_no_variant() -> None:
    stack = make_stack(measuring(tiny(norm=replace(tiny().model.norm, final=True))))
    assert not any("/mlp/" in key for key in read(stack))


def test_no_key_leaves_the_means_of_the_classes() -> None:
    readings = read(make_stack(measuring(tiny(), keys=(1,))))
    stack = make_stack(measuring(tiny()))
    stack.params["W_U"].data.zero_()
    none = read(stack)
    assert float(none["progress/n_keys"][0]) == 0
    assert none["progress/read_out_min"].isnan().all()
    torch.testing.assert_close(
        none["progress/restricted/sum/all"], torch.full((1,), math.log(7)).double()
    )
    assert float(readings["progress/n_keys"][0]) == 1


@pytest.mark.parametrize(
    ("fields", "progress", "message"),
    [
        ({"operation": "mul"}, {}, "needs data.operation add or sub, not mul"),
        ({}, {"keys": (0, 2)}, "measures.progress.keys has 0: allowed are 1 to 3"),
        ({}, {"keys": (4,)}, "measures.progress.keys has 4: allowed are 1 to 3"),
    ],
)
def test_impossible_settings_are_refused(
    fields: dict[str, Any], progress: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        measuring(tiny(**fields), **progress)
