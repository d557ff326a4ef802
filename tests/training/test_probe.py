"""The probe of a stack: one pass over all pairs, whatever is read of it."""

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

from grok.config.measures import FamilyConfig, MeasuresConfig, ProgressConfig
from grok.measures import MEASURES, MissingPart, Readings, Snapshot
from grok.metrics.fourier import fourier_power
from grok.training import Stack, probe
from tests.builders import make_stack, tiny


def make(**fields: Any) -> Stack:
    measures = MeasuresConfig()
    if "operation" not in fields:
        measures = MeasuresConfig(
            progress=ProgressConfig(enabled=True),
            ablation=FamilyConfig(enabled="n_layers" not in fields),
        )
    configs = [
        tiny(init_seed=s, split_seed=s, readout_scale=1.0 + s, measures=measures, **fields)
        for s in range(2)
    ]
    stack = make_stack(*configs)
    stack.advance(3)
    return stack


def all_readings(snapshot: Snapshot) -> Readings:
    measures = [m for name, m in MEASURES.items() if name != "ablation" or snapshot.has("ablated")]
    return {key: x for measure in measures for key, x in measure(snapshot).items()}


def test_one_forward_pass_serves_all_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, forward = Counter(), probe._probe
    monkeypatch.setattr(probe, "_probe", lambda stack: (calls.update(["probe"]), forward(stack))[1])
    snapshot = make().snapshot()
    assert calls["probe"] == 0
    all_readings(snapshot)
    assert calls["probe"] == 1


@pytest.mark.parametrize("fields", [{}, {"n_layers": 2}], ids=str)
def test_the_probe_does_not_depend_on_its_chunks(
    fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = make(**fields)
    readings = all_readings(stack.snapshot())
    monkeypatch.setattr(probe, "CHUNK", 10)
    torch.testing.assert_close(all_readings(stack.snapshot()), readings)


def test_pre_logits_are_what_the_unembedding_reads() -> None:
    stack = make()
    snapshot = stack.snapshot()
    for split, H in snapshot.pre_logits.items():
        f: Tensor = torch.einsum("rbd,rcd->rbc", H, snapshot.params["W_U"])
        logits, labels = snapshot.predictions[split]
        torch.testing.assert_close(stack.problem.readout_scale * f, logits)
        assert labels.shape == H.shape[:2]


def test_compositions_have_no_fourier_components_on_a_cycle() -> None:
    stack = make(operation="compose", group="S3", p=113)
    assert stack.snapshot().embedding.shape == (2, 6, 16)
    with pytest.raises(MissingPart):
        MEASURES["fourier"](stack.snapshot())


@pytest.mark.parametrize("p", [6, 7])
def test_the_embedding_is_that_of_the_numbers_without_the_equals_sign(p: int) -> None:
    stack = make(p=p)
    embedding = stack.snapshot().embedding
    assert embedding.shape == (2, p, 16)
    W_E = stack.named(stack.theta)["W_E"]
    assert torch.equal(embedding, W_E[:, :p])
    readings = MEASURES["fourier"](stack.snapshot())
    power = torch.stack([readings[f"fourier/power/{k}"] for k in range(p // 2 + 1)], dim=-1)
    torch.testing.assert_close(power, fourier_power(W_E[:, :p]))
    torch.testing.assert_close(power.sum(dim=-1), W_E[:, :p].square().sum(dim=(1, 2)))


def test_a_snapshot_says_which_runs_are_of_its_step() -> None:
    stack = make()
    stack.finish_run(0)
    snapshot = stack.snapshot()
    assert snapshot.step == 3
    assert snapshot.active is not None
    assert snapshot.active.tolist() == [False, True]
