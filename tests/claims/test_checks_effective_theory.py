"""Checks of Liu et al. 2022: the formulas meet their criteria, and wrong ones do not."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from grok.claims import Claim, claims_of
from grok.claims.checks import Readings
from grok.claims.checks import effective_theory as checks
from grok.claims.evidence import Evidence, NotRun
from grok.claims.reproduce import verdict_of
from grok.metrics.parallelograms import (
    ideal_rqi,
    ideal_validation_accuracy,
    in_training,
    is_implied,
)
from grok.metrics.samples import Samples, modular_samples
from grok.models.toy import toy_parameters
from grok.theory.critical import critical_fraction
from grok.theory.effective import gram, spectrum
from grok.theory.flow import flow, standardised

UNIT = {claim.id: claim for claim in claims_of("effective-theory") if claim.tier == "U"}
OURS = [f"ET-A{n}" for n in range(1, 8)]


def verdict(claim: Claim, readings: Readings) -> str:
    return verdict_of(tuple(claim.judge(Evidence({}, readings))))


def read(id: str) -> Readings:
    module, _, name = UNIT[id].check.partition(".")
    assert module == "effective_theory"
    return getattr(checks, name)()


right = cache(read)


def test_the_claims_of_the_theory_are_there() -> None:
    assert set(OURS) <= UNIT.keys()


@pytest.mark.parametrize("id", OURS)
def test_the_formulas_meet_their_criterion(id: str) -> None:
    assert verdict(UNIT[id], right(id)) == "holds"


def drifting(start: Tensor, matrix: Tensor, dt: float, n_steps: int) -> Tensor:
    """The released loop: Euler steps with Z_0 as it was at the start."""
    z0, path = start.square().sum(), [start]
    for _ in range(n_steps):
        path.append(path[-1] - dt * 2 * matrix @ path[-1] / z0)
    return torch.stack(path)


def stretched(start: Tensor, matrix: Tensor, time: Tensor) -> Tensor:
    """A time half as long."""
    return flow(start, matrix, time / 2)


def of_the_mean(is_chosen: Tensor, samples: Samples, normalization: Any = "sum") -> Tensor:
    """Equation 5 where the figures have the sum."""
    return gram(is_chosen, samples, "mean")


def float_nullity(is_train: Tensor, samples: Samples) -> Tensor:
    """Whatever the equations, p minus their number."""
    return samples.p - in_training(is_train, samples).sum(dim=-1)


def uncentred(embedding: Tensor) -> Tensor:
    return standardised(embedding) + 1


@pytest.mark.parametrize(
    ("id", "name", "wrong"),
    [
        ("ET-A1", "addition_samples", modular_samples),
        ("ET-A1", "gram", of_the_mean),
        ("ET-A2", "nullity", float_nullity),
        ("ET-A2", "is_implied", in_training),
        ("ET-A2", "in_training", is_implied),
        ("ET-A2", "ideal_accuracy", ideal_validation_accuracy),
        ("ET-A3", "critical_fraction", lambda p, n: critical_fraction(p + 1, n)),
        ("ET-A4", "spectrum", lambda s, t, **_: spectrum(s, t, parallelograms="all")),
        ("ET-A5", "integrated_flow", drifting),
        ("ET-A5", "flow", stretched),
        ("ET-A5", "standardised", uncentred),
        ("ET-A6", "gram", of_the_mean),
        ("ET-A6", "flow", stretched),
        ("ET-A6", "ordered_step", lambda *_: None),
        ("ET-A7", "ideal_validation_accuracy", ideal_rqi),
    ],
)
def test_a_wrong_formula_fails(
    id: str, name: str, wrong: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, name, wrong)
    assert verdict(UNIT[id], read(id)) == "fails"


def test_another_stream_of_numbers_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "toy_parameters", lambda network, seed: toy_parameters(network, 8))
    with pytest.raises(NotRun, match="draws other numbers from seed 9"):
        checks.et_a6()


def test_the_share_of_whole_splits_is_the_one_counted_exactly() -> None:
    """A forced line is right on all samples unless a label has none in training.

    Sets of 10 that contain no whole label: the coefficient of x^10 in the product of
    (1 + x)^n_s - x^n_s over the labels s.
    """
    polynomial = [1]
    for s in range(19):
        n = min(s, 18 - s) // 2 + 1
        factor = [math.comb(n, k) for k in range(n)]
        product = [0] * (len(polynomial) + n - 1)
        for i, x in enumerate(polynomial):
            for j, y in enumerate(factor):
                product[i + j] += x * y
        polynomial = product
    exact = polynomial[10] / math.comb(55, 10)
    found = right("ET-A7")["share"][""]
    assert abs(found - exact) < 4 * (exact * (1 - exact) / 2000) ** 0.5
    assert 0.32 < exact < 0.40


def test_each_reading_is_a_finite_number() -> None:
    for id in OURS:
        assert all(math.isfinite(x) for cases in right(id).values() for x in cases.values())


def test_the_example_counts_its_distinct_samples() -> None:
    """Seven and not eight: (2, 4) is named twice in appendix C."""
    assert len({pair for step in checks.STEPS for pair in step}) == 7
