"""Checks of homogeneity and constructed attention: formulas meet their criteria, wrong ones not."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from grok.claims import Claim
from grok.claims.checks import norm_growth_attention, norm_growth_homogeneity
from grok.claims.evidence import Evidence
from grok.claims.norm_growth import attention, homogeneity
from grok.claims.reproduce import verdict_of
from grok.metrics.heads import head_statistics
from grok.metrics.homogeneity import euler_degree
from grok.metrics.saturation import smallest_gap
from grok.models.layers import linear

CLAIMS = {
    claim.id: claim
    for module in (homogeneity, attention)
    for claim in vars(module).values()
    if isinstance(claim, Claim)
}


def verdict(claim: Claim) -> str:
    module, _, name = claim.check.partition(".")
    readings = getattr(import_module(f"grok.claims.checks.{module}"), name)()
    return verdict_of(tuple(claim.judge(Evidence({}, readings))))


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)
def test_the_formulas_meet_their_criterion(claim: Claim) -> None:
    assert verdict(claim) == "holds"


def of_next(scores: Tensor) -> Tensor:
    """A gap that a tie makes 0 in place of the next score's."""
    top = scores.double().sort(dim=-1, descending=True).values
    return top[..., 0] - top[..., 2]


def of_all_queries(weights: Tensor, visible: Tensor) -> Any:
    """Counts what is masked too."""
    return head_statistics(weights, torch.ones_like(visible))


H, A = norm_growth_homogeneity, norm_growth_attention


@pytest.mark.parametrize(
    ("id", "module", "name", "wrong"),
    [
        ("NG-A2", H, "ray_error", lambda f, params, k, factor: torch.ones(1)),
        ("NG-A2", H, "euler_degree", lambda f, params: euler_degree(f, params) + 1e-8),
        ("NG-A3", H, "mean_surplus", lambda f, y: f.gather(-1, y.unsqueeze(-1)).mean(dim=(1, 2))),
        ("NG-A4", H, "linear", lambda x, w, *b: linear(x, w / w.norm(), *b)),
        ("NG-A4", H, "FAR", 1.0),
        ("NG-A7", A, "smallest_gap", of_next),
        ("NG-A7", A, "unsaturated_weight", lambda a, c=1.0: (-c * smallest_gap(a)).exp()),
        ("NG-A8", A, "head_statistics", of_all_queries),
    ],
)
def test_a_wrong_formula_fails(
    id: str,
    module: ModuleType,
    name: str,
    wrong: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, name, wrong)
    assert verdict(CLAIMS[id]) == "fails"
