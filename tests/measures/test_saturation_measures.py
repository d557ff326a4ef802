"""Saturation of stacks is that of plain torch with scaled parameters and hand-made attention."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from grok.config.measures import MeasuresConfig, SaturationConfig
from grok.measures import MEASURES, Readings, Representations, Saturated, Snapshot
from grok.models.config import norm_config
from grok.models.forms import pair_tokens
from grok.training import Stack, probe, problem_of
from tests.builders import data_of, make_stack, sequences, tiny
from tests.plain import PlainTransformer

OPTIONS: dict[str, dict[str, Any]] = {
    "one layer": {},
    "causal, depth 2": {"causal": True, "n_layers": 2},
    "normed": {"norm": norm_config("pre", final=True, eps=1e-3)},
    "attention alone": {"attn_only": True},
    "initial prediction subtracted": {"subtract_initial": True},
}
N = 5
"""Pairs of each split that are compared."""
FACTOR, TOL = 300.0, 0.2


def make(**fields: Any) -> Stack:
    """Two runs, a little trained."""
    saturation = SaturationConfig(factor=FACTOR, tol=TOL, n_examples=N, check_convergence=True)
    configs = [
        tiny(
            init_seed=s,
            split_seed=s,
            readout_scale=1.0 + s,
            measures=MeasuresConfig(saturation=saturation),
            **fields,
        )
        for s in range(2)
    ]
    stack = make_stack(*configs)
    stack.advance(5)
    return stack


def read(stack: Stack) -> Readings:
    return MEASURES["saturation"](stack.snapshot())


class Tapped(PlainTransformer):
    """The network in plain torch, telling what it computes, with another factor or attention."""

    def of(self, stack: Stack, run: int, factor: float = 1.0) -> "Tapped":
        self.load({n: factor * x[run] for n, x in stack.named(stack.theta).items()})
        return self

    def taps(self, tokens: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}

        def keep(name: str, of: Callable[..., Tensor]) -> Callable[..., None]:
            def hook(*arguments: Any) -> None:
                found[name] = of(*arguments)

            return hook

        hooks = [self.ln_final.register_forward_hook(keep("final", lambda _, __, y: y))]
        for layer, block in enumerate(self.blocks):
            read = keep(f"z/{layer}", lambda _, x: x[0])
            hooks.append(block.get_submodule("O").register_forward_pre_hook(read))
            hooks.append(block.register_forward_hook(keep(f"layer/{layer}", lambda _, __, y: y[0])))
            if not self.c.attn_only:
                written = keep(f"ff/{layer}", lambda _, __, y: y)
                hooks.append(block.get_submodule("out").register_forward_hook(written))
        found["logits"] = self(tokens).logits
        for hook in hooks:
            hook.remove()
        return found


def hard_attention(q: Tensor, k: Tensor, v: Tensor, is_causal: bool) -> Tensor:
    """Attention to the mean value of the keys that tie for the largest score."""
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if is_causal:
        scores = scores + torch.full_like(scores, -torch.inf).triu(1)
    largest = scores.max(dim=-1, keepdim=True).values
    kept = (scores >= largest - TOL * largest.abs().clamp(min=1.0)).double()
    return kept @ v / kept.sum(dim=-1, keepdim=True)


@torch.no_grad()
def plain_task(stack: Stack, run: int) -> dict[str, Tensor]:
    """Loss and accuracy of both variants, split by split."""
    config, data = stack.configs[run], data_of(stack.configs)[run]
    now, limit = (Tapped(config.model, data.n).of(stack, run, c) for c in (1.0, FACTOR))
    f = now(data.tokens).logits[:, -1]
    far = limit(data.tokens).logits[:, -1]
    with patch("torch.nn.functional.scaled_dot_product_attention", hard_attention):
        hard = now(data.tokens).logits[:, -1]
    first = make_stack(config)
    f_0 = Tapped(config.model, data.n).of(first, 0)(data.tokens).logits[:, -1]
    found = {}
    for split, rows in (("train", data.train), ("test", data.test)):
        scaled = far[rows] * f[rows].norm() / far[rows].norm()
        for variant, each in (("limit", scaled), ("hard", hard[rows])):
            h = each - f_0[rows] if config.model.subtract_initial else each
            h = config.model.readout_scale * h
            found[f"sat/loss/{variant}/{split}"] = F.cross_entropy(h, data.c[rows])
            is_right = h.argmax(dim=-1) == data.c[rows]
            found[f"sat/acc/{variant}/{split}"] = is_right.double().mean()
    return found


@torch.no_grad()
def plain_cosines(stack: Stack, run: int) -> dict[str, Tensor]:
    config, data = stack.configs[run], data_of(stack.configs)[run]
    tokens = data.tokens[torch.cat([data.train[:N], data.test[:N]])]
    soft, hard, farther = (
        Tapped(config.model, data.n).of(stack, run, c).taps(tokens)
        for c in (1.0, FACTOR, 10 * FACTOR)
    )
    found: dict[str, Tensor] = {}

    def add(name: str, tail: str, x: Tensor, y: Tensor) -> Tensor:
        cosines = F.cosine_similarity(x, y, dim=-1, eps=1e-300)
        found[f"sat/{name}{tail}"] = cosines.mean()
        found[f"sat/{name}_last{tail}"] = cosines[:, -1].mean()
        return cosines

    for layer in range(config.model.n_layers):
        x, y = soft[f"layer/{layer}"], hard[f"layer/{layer}"]
        cosines = add("layer", f"/{layer}", x, y)
        found[f"sat/layer_std/{layer}"] = cosines.std(correction=0)
        x, y = (z - z.mean(dim=(0, 1)) for z in (x, y))
        found[f"sat/layer_centred/{layer}"] = F.cosine_similarity(x, y, dim=-1).mean()
        heads = [z[f"z/{layer}"].unflatten(-1, (2, -1)) for z in (soft, hard)]
        for head in range(2):
            add("attn_out", f"/{layer}/{head}", *(z[..., head, :] for z in heads))
        if not config.model.attn_only:
            add("ff_out", f"/{layer}", soft[f"ff/{layer}"], hard[f"ff/{layer}"])
    add("final", "", soft["final"], hard["final"])
    add("logits", "", soft["logits"], hard["logits"])
    agree = (soft["logits"].argmax(dim=-1) == hard["logits"].argmax(dim=-1)).double()
    found["sat/argmax_agreement"] = agree.mean()
    found["sat/argmax_agreement_last"] = agree[:, -1].mean()
    last = soft["final"][:, -1]
    found["sat/repr_var_last"] = (last - last.mean(0)).square().sum() / last.square().sum()
    ray = F.cosine_similarity(hard["final"], farther["final"], dim=-1)
    found["sat/convergence"] = ray.mean()
    return found


@pytest.mark.parametrize("fields", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize("plain", [plain_cosines, plain_task])
def test_readings_are_those_of_plain_torch(
    plain: Callable[[Stack, int], dict[str, Tensor]], fields: dict[str, Any]
) -> None:
    stack = make(**fields)
    readings = read(stack)
    for run in range(2):
        for key, value in plain(stack, run).items():
            torch.testing.assert_close(
                readings[key][run].double(), value, rtol=1e-6, atol=1e-9, msg=f"{key} {run}"
            )


def test_without_an_mlp_there_is_none_to_compare_and_convergence_is_read_if_asked_for() -> None:
    readings = read(make(attn_only=True))
    assert "sat/attn_out/0" in readings
    assert not any(key.startswith("sat/ff_out") for key in readings)
    assert "sat/convergence" in readings
    assert "sat/convergence" not in read(make_stack(tiny()))


def test_scaling_the_parameters_saturates_the_network() -> None:
    stack = make(norm=norm_config("pre", final=True, eps=1e-3))
    before = read(stack)
    with torch.no_grad():
        stack.theta.mul_(100)
    after = read(stack)
    for key in ("sat/final", "sat/logits_last", "sat/attn_out/0"):
        assert (after[key] > before[key] + 0.05).all(), key
        assert (after[key] > 0.97).all(), key


@pytest.mark.parametrize("include", ["weights_only", "attn_only", "no_embed"])
def test_the_parameters_that_are_not_included_stay(include: Any) -> None:
    saturation = SaturationConfig(factor=FACTOR, include=include, check_convergence=True)
    measures = MeasuresConfig(saturation=saturation)
    stack = make_stack(tiny(norm=norm_config("pre"), bias_qkv=True, measures=measures))
    stack.advance(3)
    kept = {
        "weights_only": lambda name: ".b_" in name or ".ln" in name,
        "attn_only": lambda name: name[-3:] not in [f"{x}_{y}" for x in "Wb" for y in "QKVO"],
        "no_embed": lambda name: name in ("W_E", "W_pos"),
    }[include]
    pairs, parts = stack.problem, stack.snapshot().saturated
    rows = torch.cat([pairs.train, pairs.test], dim=1)
    tokens = pair_tokens(pairs.model, pairs.a.gather(1, rows), pairs.b.gather(1, rows))
    assert parts.farther is not None
    for factor, found in ((FACTOR, parts.limit.final), (10 * FACTOR, parts.farther)):
        params = {n: x if kept(n) else factor * x for n, x in stack.params.items()}
        torch.testing.assert_close(found, pairs.model.forward(params, tokens).pre_logits.detach())


def test_a_single_precision_network_is_saturated_in_double_precision() -> None:
    """Scores of the second layer grow as the 12th power of the factor: 1e36 and more."""
    single = make_stack(tiny(dtype="float32", n_layers=3))
    double = make_stack(tiny(n_layers=3))
    with torch.no_grad():
        double.theta.copy_(single.theta.double())
    ours, theirs = read(single), read(double)
    assert all(x.isfinite().all() for x in ours.values())
    for key in ("sat/final", "sat/logits_last", "sat/attn_out/2/1"):
        assert ours[key].dtype == torch.float64
        torch.testing.assert_close(ours[key], theirs[key])


def test_tasks_do_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = make()
    whole = read(stack)
    monkeypatch.setattr(probe, "CHUNK", 4)
    torch.testing.assert_close(read(stack), whole)


def test_scores_that_nearly_tie_share_the_attention_within_the_tolerance_alone() -> None:
    """The limit follows the least difference; saturated attention with a tolerance does not."""
    stacks = [
        make_stack(tiny(measures=MeasuresConfig(saturation=SaturationConfig(tol=tol))))
        for tol in (0.1, 0.0)
    ]
    for stack in stacks:
        with torch.no_grad():
            stack.named(stack.theta)["blocks.0.W_Q"].mul_(1e-3)
    parts, untied = (stack.snapshot().saturated for stack in stacks)
    pairs = stacks[0].problem
    rows = pairs.train[:, :3]
    tokens = pair_tokens(pairs.model, pairs.a.gather(1, rows), pairs.b.gather(1, rows))
    uniform = pairs.model.forward(
        {name: x.detach() for name, x in stacks[0].params.items()},
        tokens,
        attend=lambda scores: torch.full_like(scores, 1 / 3),
    )
    hard = parts.predictions["hard"]["train"][0][:, :3]
    torch.testing.assert_close(hard, uniform.logits[:, :, -1])
    assert not torch.allclose(untied.predictions["hard"]["train"][0][:, :3], hard, rtol=1e-2)


def test_a_reading_at_p_113_costs_less_than_three_forward_passes_of_the_probe() -> None:
    stack = make_stack(tiny(p=113, d_model=32, n_heads=4, d_mlp=128, train_fraction=0.3))
    snapshot = stack.snapshot()
    with FlopCounterMode(display=False) as forward:
        assert snapshot.predictions
    with FlopCounterMode(display=False) as reading:
        assert snapshot.saturated
    assert forward.get_total_flops() > 0
    assert reading.get_total_flops() <= 3 * forward.get_total_flops()


def test_padding_is_left_out_and_the_last_position_is_the_last_that_is_none() -> None:
    def some(*shape: int) -> Tensor:
        generator = torch.Generator().manual_seed(sum(shape))
        return torch.randn(1, 3, 4, *shape, dtype=torch.float64, generator=generator)

    def network(shift: float) -> Representations:
        far = [some(6) + shift, some(2, 3) + shift, some(7) + shift]
        return Representations([far[0]], [far[1]], [], far[0], far[2])

    lengths = torch.tensor([4, 2, 1])
    mask = torch.arange(4) < lengths.unsqueeze(1)
    soft, hard = network(0.0), network(1.0)
    part = Saturated(soft, hard, None, mask.unsqueeze(0), {})
    readings = MEASURES["saturation"](Snapshot(0, {}, saturated=lambda: part))
    cosines = F.cosine_similarity(soft.final, hard.final, dim=-1)[0]
    expected = torch.cat([cosines[i, : int(n)] for i, n in enumerate(lengths)]).mean()
    torch.testing.assert_close(readings["sat/final"][0], expected)
    last = torch.stack([cosines[i, int(n) - 1] for i, n in enumerate(lengths)]).mean()
    torch.testing.assert_close(readings["sat/final_last"][0], last)
    head = F.cosine_similarity(soft.heads[0], hard.heads[0], dim=-1)[0, ..., 1]
    expected = torch.cat([head[i, : int(n)] for i, n in enumerate(lengths)]).mean()
    torch.testing.assert_close(readings["sat/attn_out/0/1"][0], expected)
    for layer in (soft.layers[0], hard.layers[0]):
        layer[:, ~mask] = torch.nan
    again = MEASURES["saturation"](Snapshot(0, {}, saturated=lambda: part))
    torch.testing.assert_close(again["sat/layer/0"], readings["sat/layer/0"])


def test_sequences_are_read_at_every_position() -> None:
    stack = on_digits()
    parts = stack.snapshot().saturated
    config = stack.config
    n_pos = config.sequence.sizes(config.problem).length - 1
    assert parts.soft.final.shape[1:3] == (2 * 3, n_pos)
    readings = MEASURES["saturation"](stack.snapshot())
    task = MEASURES["task"](stack.snapshot())
    assert {"sat/acc/hard/test", "sat/loss/limit/train"} <= readings.keys()
    assert readings["sat/loss/hard/test"] != task["loss/test"]


def on_digits() -> Stack:
    saturation = SaturationConfig(n_examples=3)
    return Stack(
        problem_of([sequences("digit_addition", measures=MeasuresConfig(saturation=saturation))])
    )
