"""ET-D8, the collapse of classes: digits meet the criterion, and what is no collapse does not."""

import math
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from grok.claims.checks import Readings
from grok.claims.checks import effective_theory_images as checks
from grok.claims.evidence import Evidence, NotRun
from grok.claims.reproduce import verdict_of
from grok.data.images import ImageData
from grok.metrics.collapse import same_label_loss
from tests.claims.store import CLAIMS
from tests.images import needs_digits

D8 = CLAIMS["ET-D8"]
N = 400
"""Images that the wrong formulas are tried on."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of the digits, and one perceptron that sees them."""
    every = checks.digits()
    monkeypatch.setattr(checks, "digits", lambda: ImageData(every.x[:N], every.label[:N]))
    monkeypatch.setattr(checks, "SEEDS", (456,))


def failed(readings: Readings) -> list[str]:
    """Parts of the criterion that are not met."""
    parts = tuple(D8.judge(Evidence({}, readings)))
    assert (verdict_of(parts) == "fails") == any(part.holds is False for part in parts)
    names = ("apart", "fall", "descent", "drift")
    return [name for name, part in zip(names, parts, strict=True) if part.holds is False]


@needs_digits
@pytest.mark.slow
def test_digits_meet_the_criterion() -> None:
    readings = checks.et_d8()
    assert list(readings["fall"]) == ["456", "789", "111"]
    assert all(math.isfinite(x) for cases in readings.values() for x in cases.values())
    assert failed(readings) == []


@needs_digits
def test_some_of_them_do_too(small: None) -> None:
    assert failed(checks.et_d8()) == []


def of_any_label(points: Tensor, label: Tensor, n_classes: int) -> Tensor:
    """Attraction between all points: the means draw near too, and no class is told apart."""
    return same_label_loss(points, torch.zeros_like(label), n_classes)


def unnormalised(points: Tensor, label: Tensor, n_classes: int) -> Tensor:
    """Without the denominator: the flow shrinks what it moves."""
    return same_label_loss(points, label, n_classes) * points.square().sum().double()


def doubled(x: Tensor, seed: int) -> Tensor:
    """Two classes that are seen at the same places."""
    label = checks.digits().label
    angle = torch.where(label == 1, 0, label).double()
    spread = torch.randn(len(x), 2, generator=torch.Generator().manual_seed(seed)).double()
    return torch.stack([angle.cos(), angle.sin()], dim=-1) + 1e-4 * spread


@needs_digits
@pytest.mark.parametrize(
    ("name", "wrong", "parts"),
    [
        ("N_STEPS", 0, ["fall"]),
        ("DESCENT_STEPS", 5, ["descent"]),
        ("same_label_loss", of_any_label, ["fall"]),
        ("same_label_loss", unnormalised, ["drift"]),
        ("DESCENT_RATE", 20.0, ["drift"]),
        ("seen", doubled, ["apart"]),
    ],
)
def test_what_is_no_collapse_of_classes_fails(
    name: str, wrong: Any, parts: list[str], small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, name, wrong)
    assert set(parts) <= set(failed(checks.et_d8()))


def test_without_scikit_learn_it_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(NotRun, match=r"pip install 'grokking-lab\[digits\]'$"):
        checks.et_d8()
