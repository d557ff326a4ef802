"""Saturation, degrees and heads of language models: padding counts nowhere, nor does the future."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import grok.training.saturation as saturation
from grok.config.measures import HomogeneityConfig, MeasuresConfig, SaturationConfig
from grok.data.text import PADDED
from grok.measures import MEASURES, Readings
from grok.metrics.attention import saturated_pattern
from grok.metrics.homogeneity import scaled
from grok.metrics.saturation import cosine
from grok.training import LanguageProblem, Stack
from tests.texts import language_run, text_folder

FACTOR = 1000.0
NORMS = ("none", "pre_ln_final", "post_ln", "sublayer_ln")
MEASURES_OF = MeasuresConfig(
    saturation=SaturationConfig(factor=FACTOR, tol=0.1),
    homogeneity=HomogeneityConfig(scales=(1.0, 3.0)),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return text_folder(tmp_path / "text")


def paragraphs(folder: Path, norm: str = "sublayer_ln", **fields: Any) -> Stack[LanguageProblem]:
    """Rows of 15, 6 and 16 tokens, and of 8 and 5; a little trained."""
    config = language_run(
        folder, norm, mode="paragraph", length=16, measures=MEASURES_OF, lr=1e-2, **fields
    )
    stack = Stack(LanguageProblem([config]))
    stack.advance(5)
    return stack


def unpadded(stack: Stack[LanguageProblem]) -> list[tuple[Tensor, Tensor]]:
    """Inputs ``[1, 1, pos]`` and labels of each row that is read, cut to what counts."""
    found = []
    for rows in stack.problem.read.values():
        for inputs, labels in zip(*rows, strict=True):
            n = int((labels != PADDED).sum())
            found.append((inputs[:n].reshape(1, 1, -1), labels[:n]))
    return found


@torch.no_grad()
def outputs(stack: Stack[LanguageProblem], factor: float, tokens: Tensor) -> dict[str, Tensor]:
    full = stack.problem.model.forward(scaled(stack.params, factor), tokens)
    return {"final": full.pre_logits, "logits": full.logits} | {
        f"layer/{i}": block.resid_post for i, block in enumerate(full.blocks)
    }


@pytest.mark.parametrize("norm", NORMS)
def test_a_padded_and_an_unpadded_batch_have_the_same_saturation_at_each_position(
    folder: Path, norm: str
) -> None:
    stack = paragraphs(folder, norm)
    parts = stack.snapshot().saturated
    alone: dict[str, list[Tensor]] = {"final": [], "logits": [], "layer/0": [], "layer/1": []}
    for row, (tokens, _) in enumerate(unpadded(stack)):
        soft, hard = (outputs(stack, c, tokens) for c in (1.0, FACTOR))
        for name, cosines in alone.items():
            cosines.append(cosine(soft[name], hard[name])[0, 0])
        ours = cosine(parts.soft.final, parts.limit.final)[0, row]
        assert parts.mask is not None
        torch.testing.assert_close(ours[parts.mask[0, row]], alone["final"][-1])
    assert [len(x) for x in alone["final"]] == [15, 6, 16, 8, 5]
    readings = MEASURES["saturation"](stack.snapshot())
    for name, cosines in alone.items():
        kind, _, layer = name.partition("/")
        tail = f"/{layer}" if layer else ""
        torch.testing.assert_close(readings[f"sat/{kind}{tail}"][0], torch.cat(cosines).mean())
        last = torch.stack([x[-1] for x in cosines]).mean()
        torch.testing.assert_close(readings[f"sat/{kind}_last{tail}"][0], last)


def test_what_stands_in_padded_positions_changes_no_reading(folder: Path) -> None:
    stack = paragraphs(folder)

    def read() -> Readings:
        snapshot = stack.snapshot()
        families = ("saturation", "homogeneity", "heads")
        return {k: x for name in families for k, x in MEASURES[name](snapshot).items()}

    before = read()
    for rows in stack.problem.read.values():
        rows.inputs[rows.labels == PADDED] = 3
    torch.testing.assert_close(read(), before, rtol=0, atol=0, equal_nan=True)
    stack.problem.read["test"].inputs[0, 0] = 3
    assert read()["sat/final"] != before["sat/final"]


def test_degrees_are_those_of_the_unpadded_rows(folder: Path) -> None:
    stack = paragraphs(folder)
    f, h = stack.snapshot().network, 1e-6

    def squares(factor: float) -> Tensor:
        each = [outputs(stack, factor, tokens) for tokens, _ in unpadded(stack)]
        return torch.stack([x["final"].square().sum() for x in each]).sum()

    final = f(scaled(stack.params, 1.0))["final"]
    torch.testing.assert_close(final.detach().square().sum(), squares(1.0))
    degree = (squares(1 + h).log() - squares(1 - h).log()) / (4 * h)
    readings = MEASURES["homogeneity"](stack.snapshot())
    torch.testing.assert_close(readings["homog/euler_degree/final"][0], degree, rtol=1e-6, atol=0)


@torch.no_grad()
@pytest.mark.parametrize("norm", ["none", "pre_ln_final"])
def test_tasks_of_saturated_networks_are_those_of_the_positions_that_count(
    folder: Path, norm: str
) -> None:
    stack = paragraphs(folder, norm, readout_scale=1.5, temperature=2.0)
    readings = MEASURES["saturation"](stack.snapshot())
    rows, model = stack.problem.read["train"], stack.problem.model
    counts = rows.labels != PADDED

    def logits(factor: float, **other: Any) -> Tensor:
        params = scaled(stack.params, factor)
        return model.forward(params, rows.inputs.unsqueeze(0), **other).logits[0][counts]

    now, far = logits(1.0), logits(FACTOR)
    hard = logits(1.0, attend=lambda scores: saturated_pattern(scores, 0.1))
    for variant, f in (("limit", now.norm() / far.norm() * far), ("hard", hard)):
        loss = F.cross_entropy(1.5 * f / 2.0, rows.labels[counts])
        torch.testing.assert_close(readings[f"sat/loss/{variant}/train"][0], loss)
        is_right = (f.argmax(dim=-1) == rows.labels[counts]).double()
        assert readings[f"sat/acc/{variant}/train"].item() == pytest.approx(is_right.mean().item())


def test_readings_do_not_depend_on_chunks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = paragraphs(folder)
    whole = MEASURES["saturation"](stack.snapshot())
    monkeypatch.setattr(saturation, "CHUNK", 16)
    torch.testing.assert_close(MEASURES["saturation"](stack.snapshot()), whole)


def test_uniform_heads_attend_to_what_they_see_and_to_no_later_token(folder: Path) -> None:
    stack = Stack(LanguageProblem([language_run(folder, measures=MEASURES_OF)]))
    with torch.no_grad():
        for layer in range(2):
            stack.params[f"blocks.{layer}.W_Q"].zero_()
    readings = MEASURES["heads"](stack.snapshot())
    for layer in range(2):
        assert readings[f"attn/n_mean/{layer}"].item() == pytest.approx(3.0)  # of 1 to 5 tokens
        assert readings[f"attn/split/{layer}"].item() == pytest.approx(4 / 5)
        assert readings[f"attn/frac/{layer}"].item() == 1
        assert readings[f"attn/leak/{layer}"].item() == 0
        assert readings[f"attn/num_mean/{layer}"].item() == 2
