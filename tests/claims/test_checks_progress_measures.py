"""Checks of Nanda et al. 2023: the formulas meet their criteria, and wrong ones do not."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from grok.claims import Claim, claims_of
from grok.claims.checks import progress_measures as checks
from grok.claims.evidence import Evidence
from grok.claims.reproduce import verdict_of
from grok.metrics.fourier import fourier_basis
from grok.metrics.loss import cross_entropy
from grok.metrics.progress import gini, restricted_logits

UNIT = {claim.id: claim for claim in claims_of("progress-measures") if claim.tier == "U"}


def verdict(claim: Claim) -> str:
    readings = getattr(checks, claim.check.partition(".")[2])()
    return verdict_of(tuple(claim.judge(Evidence({}, readings))))


def test_every_claim_of_the_paper_is_there() -> None:
    numbers = {claim.id.rstrip("ab") for claim in claims_of("progress-measures")}
    assert numbers == {f"PM-C{n}" for n in range(1, 25)} | {f"PM-U{n}" for n in range(1, 9)}


@pytest.mark.parametrize("claim", UNIT.values(), ids=lambda claim: claim.id)
def test_the_formulas_meet_their_criterion(claim: Claim) -> None:
    assert verdict(claim) == "holds"


def without_last_row(p: int) -> Tensor:
    """As the released code, which knows no alternating wave and stops one frequency short."""
    basis = fourier_basis(p).clone()
    basis[-1] = 0
    return basis


def of_both_waves(logits: Tensor, is_key: Tensor, block: Any = "sum") -> Tensor:
    """The variant that keeps the waves of a - b under every name."""
    return restricted_logits(logits, is_key, "block2x2")


def in_float32(logits: Tensor, labels: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
    """The released training helper."""
    return cross_entropy(logits, labels, torch.float32).to(dtype)


@pytest.mark.parametrize(
    ("id", "name", "wrong"),
    [
        ("PM-U1", "fourier_basis", without_last_row),
        ("PM-U2", "cross_entropy", in_float32),
        ("PM-U3", "restricted_logits", of_both_waves),
        ("PM-U4", "gini", lambda x: gini(x) + 1 / len(x)),  # n - i in place of n - i + 1/2
        ("PM-U5", "excluded_logits", lambda logits, *_: logits),
        ("PM-U6", "cosine_coefficients", lambda logits: logits[0, : logits.shape[1] // 2 + 1]),
        ("PM-U7", "cross_entropy", in_float32),
        ("PM-U8", "_outputs", lambda model: torch.rand(3, dtype=torch.float64)),
    ],
)
def test_a_wrong_formula_fails(
    id: str, name: str, wrong: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, name, wrong)
    assert verdict(UNIT[id]) == "fails"
