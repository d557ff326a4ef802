"""Measures read a snapshot: named, per run, computed at most once, changing nothing."""

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from grok.config.measures import (
    DynamicsConfig,
    FamilyConfig,
    IrrepConfig,
    MeasuresConfig,
    ProgressConfig,
    SaturationConfig,
)
from grok.keys import KEYS, find_key
from grok.measures import MEASURES, MissingPart, Snapshot, compressibility
from grok.models.config import norm_config
from grok.models.parameter_sets import SET_KINDS
from grok.training import Stack, problem_of, restore, state_of
from tests.builders import data_of, make_stack, sequences, tiny
from tests.plain import PlainTransformer
from tests.texts import language_run, text_folder
from tests.toys import toy

FAMILIES = list(MEASURES)
OPTIONS: dict[str, dict[str, Any]] = {
    "one layer": {},
    "causal, depth 2": {"causal": True, "n_layers": 2},
    "normed": {"norm": norm_config("pre", eps=1e-3)},
    "initial prediction subtracted": {"subtract_initial": True},
    "mean squared error": {"loss": "mse"},
    # Large enough for both splits to have more pairs than the pre-logits have dimensions: the
    # slope of a rank-deficient spectrum is that of its rounding errors.
    "even p": {"p": 8},
}


EACH = [(f, o) for f in FAMILIES for o in OPTIONS if (f, o) != ("ablation", "causal, depth 2")]
each_family = pytest.mark.parametrize(("family", "option"), EACH)
"""Each family on each kind of network that it can be read on."""


def make(n_steps: int = 3, n_runs: int = 2, **fields: Any) -> Stack:
    measures = MeasuresConfig(
        progress=ProgressConfig(enabled=True),
        ablation=FamilyConfig(enabled=fields.get("n_layers", 1) == 1),
        irrep=IrrepConfig(enabled=True),
        dynamics=DynamicsConfig(enabled=True, sets=SET_KINDS, lag=3),
        saturation=SaturationConfig(check_convergence=True),
    )
    configs = [
        tiny(
            init_seed=s,
            split_seed=s,
            readout_scale=1.0 + s,
            temperature=1.0 + 2 * s,
            measures=measures,
            **fields,
        )
        for s in range(n_runs)
    ]
    stack = make_stack(*configs)
    stack.advance(n_steps)
    return stack


@each_family
def test_every_key_is_in_the_table_under_its_family(family: str, option: str) -> None:
    readings = MEASURES[family](make(**OPTIONS[option]).snapshot())
    assert readings
    for key, value in readings.items():
        row = find_key(key)
        assert row is not None, key
        assert row.family == family
        assert value.shape == (2,), key
        assert value.is_floating_point() or "rank" in key or "n_tail" in key, key


def test_every_key_of_the_table_is_read_by_a_measure(tmp_path: Path) -> None:
    snapshot = make().snapshot()
    keys = {key for measure in MEASURES.values() for key in measure(snapshot)}
    texts = language_run(text_folder(tmp_path))
    problems = ("digit_addition", "repeated_subsequence", "majority")
    for config in (*map(sequences, problems), texts):
        keys |= MEASURES["task"](Stack(problem_of([config])).snapshot()).keys()
    keys |= MEASURES["repr"](Stack(problem_of([toy(dim=2)])).snapshot()).keys()
    rows = {row.pattern for key in keys if (row := find_key(key)) is not None}
    assert rows == {row.pattern for row in KEYS if row.family in MEASURES}


@each_family
def test_readings_of_a_stack_are_those_of_its_runs(family: str, option: str) -> None:
    stack = make(n_runs=3, **OPTIONS[option])
    together = MEASURES[family](stack.snapshot())
    for run, config in enumerate(stack.configs):
        alone = make_stack(config)
        alone.advance(3)
        for key, value in MEASURES[family](alone.snapshot()).items():
            ours = together[key][run]  # NaN where a vector is 0, as biases are at first
            torch.testing.assert_close(ours, value[0], equal_nan=True, msg=f"{key} {run}")


@pytest.mark.parametrize(
    ("family", "n_layers"),
    [(f, n) for f in FAMILIES for n in (1, 2) if (f, n) != ("ablation", 2)],
)
def test_reading_leaves_the_run_alone(family: str, n_layers: int) -> None:
    stack, unread = make(n_layers=n_layers), make(n_layers=n_layers)
    MEASURES[family](stack.snapshot())
    assert torch.equal(stack.theta, unread.theta)
    stack.advance(3)
    unread.advance(3)
    assert torch.equal(stack.theta, unread.theta)


def counted(calls: Counter[str], name: str, part: Any) -> Callable[[], Any]:
    def source() -> Any:
        calls[name] += 1
        return part

    return source


def test_every_part_of_a_snapshot_is_computed_at_most_once() -> None:
    whole, calls = make().snapshot(), Counter()
    parts = (
        *("gradient", "delta", "embedding", "scores", "pre_logits", "predictions"),
        *("attn_out", "shortcut", "mirrored"),
        *("initial", "kernels", "hessian", "circuit", "ablated", "composition"),
        "dynamics",
        *("saturated", "network"),
    )
    sources: dict[str, Any] = {name: counted(calls, name, getattr(whole, name)) for name in parts}
    snapshot = Snapshot(3, whole.params, loss=whole.loss, **sources)
    assert not calls
    for measure in [*MEASURES.values(), *MEASURES.values()]:
        measure(snapshot)
    assert calls == dict.fromkeys(parts, 1)


@pytest.mark.parametrize(
    ("family", "part"),
    [
        ("task", "predictions"),
        ("attention", "scores"),
        ("fourier", "embedding"),
        ("compress", "pre_logits"),
        ("shortcut", "shortcut"),
        ("kernel", "kernels"),
        ("hessian", "hessian"),
        ("progress", "circuit"),
        ("irrep", "composition"),
        ("saturation", "saturated"),
        ("homogeneity", "network"),
        ("heads", "scores"),
    ],
)
def test_a_measure_names_the_part_that_a_snapshot_lacks(family: str, part: str) -> None:
    snapshot = Snapshot(0, {"w": torch.ones(1, 2)})
    assert not snapshot.has(part)
    with pytest.raises(MissingPart, match=f"needs the model's {part}, which the snapshot lacks"):
        MEASURES[family](snapshot)


def test_norms_are_read_of_what_there_is() -> None:
    w = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    readings = MEASURES["norm"](Snapshot(0, {"w": w, "b": 12 * torch.ones(2, 1)}))
    assert readings.keys() == {"norm/theta/all", "norm/theta/w", "norm/theta/b", "norm/squared"}
    assert readings["norm/theta/all"].tolist() == [13.0, 12.0]
    assert readings["norm/squared"].tolist() == [169.0, 144.0]


def test_without_a_loss_only_accuracy_is_read() -> None:
    logits, labels = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]), torch.tensor([[1, 0]])
    snapshot = Snapshot(0, {}, predictions=lambda: {"test": (logits, labels)})
    readings = MEASURES["task"](snapshot)
    assert {key: x.item() for key, x in readings.items()} == {"acc/test": 0.5}


@pytest.mark.parametrize("fields", OPTIONS.values(), ids=OPTIONS.keys())
def test_squared_norm_is_the_sum_of_the_squares_of_all_tensors(fields: dict[str, Any]) -> None:
    readings = MEASURES["norm"](make(**fields).snapshot())
    for what in ("theta", "grad", "delta"):
        prefix = f"norm/{what}/"
        each = {k: x for k, x in readings.items() if k.startswith(prefix) and k != prefix + "all"}
        total = torch.stack([x.square() for x in each.values()]).sum(dim=0)
        torch.testing.assert_close(readings[prefix + "all"].square(), total)
    torch.testing.assert_close(readings["norm/squared"], readings["norm/theta/all"].square())


def test_norm_of_the_last_update_is_the_distance_between_the_parameters() -> None:
    stack = make(n_steps=2)
    before = {name: x.clone() for name, x in stack.named(stack.theta).items()}
    stack.advance(1)
    readings = MEASURES["norm"](stack.snapshot())
    for name, x in stack.named(stack.theta).items():
        distance = torch.linalg.vector_norm((x - before[name]).flatten(1), dim=1)
        torch.testing.assert_close(readings[f"norm/delta/{name}"], distance)
    assert "norm/delta/all" not in MEASURES["norm"](make(n_steps=0).snapshot())


def test_the_change_is_the_distance_from_the_start_in_units_of_its_norm() -> None:
    stack = make(n_steps=0)
    start = stack.theta.clone()
    assert MEASURES["norm"](stack.snapshot())["norm/change"].tolist() == [0.0, 0.0]
    stack.advance(3)
    expected = (stack.theta - start).norm(dim=1) / start.norm(dim=1)
    readings = MEASURES["norm"](stack.snapshot())
    torch.testing.assert_close(readings["norm/change"], expected)
    with torch.no_grad():
        stack.theta.copy_(-2 * start)
    torch.testing.assert_close(
        MEASURES["norm"](stack.snapshot())["norm/change"], torch.full_like(expected, 3.0)
    )


def test_the_start_of_a_resumed_run_is_the_same_bits() -> None:
    stack, resumed = make(n_runs=1), make(n_steps=0, n_runs=1)
    start = resumed.theta.clone()
    parameters, moments = state_of(stack, 0)
    restore(resumed, 0, 3, parameters | moments)
    assert torch.equal(resumed.initial, start)
    key = "norm/change"
    ours, theirs = (MEASURES["norm"](each.snapshot())[key] for each in (resumed, stack))
    assert torch.equal(ours, theirs)


def plain_losses(stack: Stack, run: int) -> tuple[PlainTransformer, dict[str, tuple]]:
    """Loss and accuracy of both splits by plain torch, with the graph."""
    config, data = stack.configs[run], data_of(stack.configs)[run]
    plain = PlainTransformer(config.model, data.n)
    plain.load({name: x[run] for name, x in stack.named(stack.theta).items()})
    results = {}
    for split, rows in (("train", data.train), ("test", data.test)):
        h = config.model.readout_scale * plain(data.tokens[rows]).logits[:, -1]
        is_right = h.argmax(dim=-1) == data.c[rows]
        h = h / config.model.temperature
        if config.optim.loss == "mse":
            loss = F.mse_loss(h, F.one_hot(data.c[rows], h.shape[-1]).double())
        else:
            loss = F.cross_entropy(h, data.c[rows])
        results[split] = (loss, is_right.double().mean())
    return plain, results


@pytest.mark.parametrize(
    "fields", [{}, {"n_layers": 2}, {"batch_size": 8}, {"loss": "mse"}, {"dropout": 0.3}], ids=str
)
def test_loss_accuracy_and_gradient_are_those_of_plain_torch_on_the_whole_splits(
    fields: dict[str, Any],
) -> None:
    stack = make(n_steps=20, **fields)
    snapshot = stack.snapshot()
    readings = MEASURES["task"](snapshot) | MEASURES["norm"](snapshot)
    for run in range(2):
        plain, results = plain_losses(stack, run)
        for split, (loss, accuracy) in results.items():
            torch.testing.assert_close(readings[f"loss/{split}"][run], loss.detach())
            torch.testing.assert_close(readings[f"acc/{split}"][run], accuracy)
        results["train"][0].backward()
        squares = [p.grad.square().sum() for p in plain.parameters() if p.grad is not None]
        norm = torch.stack(squares).sum().sqrt()
        torch.testing.assert_close(readings["norm/grad/all"][run], norm)


def test_the_gradient_is_that_of_the_loss_by_finite_differences() -> None:
    stack = make(l1=1e-2)
    snapshot = stack.snapshot()
    direction = {name: g.clone() for name, g in snapshot.gradient.items()}
    expected = sum(g.square().flatten(1).sum(dim=1) for g in direction.values())
    values, h = [], 1e-6
    theta = stack.theta.clone()
    for sign in (1, -1):
        for name, view in stack.named(stack.theta).items():
            view.add_(direction[name], alpha=sign * h)
        with torch.no_grad():
            values.append(stack.losses() + 1e-2 * stack.theta.abs().sum(dim=1))
        stack.theta.copy_(theta)
    # A central difference of step 1e-6 is good to about 1e-9.
    slope = (values[0] - values[1]) / (2 * h)
    torch.testing.assert_close(slope, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("fields", [{"n_layers": 2}, {"causal": True}, {}], ids=str)
def test_attention_of_every_layer_is_that_of_plain_torch_on_all_pairs(
    fields: dict[str, Any],
) -> None:
    stack = make(**fields)
    readings = MEASURES["attention"](stack.snapshot())
    layers = range(stack.config.model.n_layers)
    assert {f"attn/entropy/{layer}/{head}" for layer in layers for head in range(2)} <= set(
        readings
    )
    for run, config in enumerate(stack.configs):
        plain = PlainTransformer(config.model, stack.problem.model.n)
        plain.load({name: x[run] for name, x in stack.named(stack.theta).items()})
        for layer, pattern in enumerate(plain(data_of([config])[0].tokens).patterns):
            entropy = torch.special.entr(pattern).sum(dim=-1)
            for head in range(2):
                ours = readings[f"attn/entropy/{layer}/{head}"][run]
                torch.testing.assert_close(ours, entropy[:, head].mean())
                last = readings[f"attn/entropy_last/{layer}/{head}"][run]
                torch.testing.assert_close(last, entropy[:, head, -1].mean())
            assert readings[f"attn/entropy/{layer}"][run] >= entropy.mean() - 1e-6
            assert readings[f"attn/entropy/{layer}"][run] <= math.log(3) + 1e-6


def test_tail_exponents_see_singular_values_below_the_root_of_the_precision() -> None:
    generator = torch.Generator().manual_seed(0)
    left, _ = torch.linalg.qr(torch.randn(60, 32, dtype=torch.float64, generator=generator))
    right, _ = torch.linalg.qr(torch.randn(32, 32, dtype=torch.float64, generator=generator))
    sigma = torch.arange(1, 33, dtype=torch.float64) ** -6
    H = (left * sigma) @ right
    snapshot = Snapshot(0, {}, pre_logits=lambda: {"test": H.unsqueeze(0)})
    slope = compressibility(snapshot)["compress/rank_slope/test"]
    torch.testing.assert_close(slope, torch.tensor([12.0], dtype=torch.float64), rtol=1e-3, atol=0)
