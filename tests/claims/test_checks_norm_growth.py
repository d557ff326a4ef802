"""Checks of Merrill et al. 2021 on growth: the formulas meet their criteria, wrong ones do not."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from grok.claims import Claim, claims_of
from grok.claims.checks import Readings
from grok.claims.checks import norm_growth as checks
from grok.claims.evidence import Evidence
from grok.claims.norm_growth.published import N_STEPS, t5_norms, t5_rates
from grok.claims.reproduce import verdict_of
from grok.measures import Snapshot, norm_dynamics
from grok.theory.growth import GrowthLaw, fit_growth_law
from grok.theory.norm_dynamics import compare_dynamics
from tests.claims.published_growth import UNIT

OURS = ["NG-A1", "NG-A10", "NG-A11", "NG-A13"]
CLAIMS = {claim.id: claim for claim in claims_of("norm-growth")}


def verdict(claim: Claim, readings: Readings) -> str:
    return verdict_of(tuple(claim.judge(Evidence({}, readings))))


def read(id: str) -> Readings:
    module, _, name = CLAIMS[id].check.partition(".")
    assert module == "norm_growth"
    return getattr(checks, name)()


right = cache(read)


@pytest.mark.parametrize("id", OURS)
def test_the_formulas_meet_their_criterion(id: str) -> None:
    assert verdict(CLAIMS[id], right(id)) == "holds"


@pytest.mark.parametrize("id", ["NG-A10", "NG-A11"])
def test_the_fits_have_the_published_values(id: str) -> None:
    """Recovered from the paper's figures, to three digits."""
    for quantity, cases in UNIT[id].items():
        for case, value in cases.items():
            assert right(id)[quantity][case] == pytest.approx(value, abs=5e-3), (quantity, case)


def line_as_root(steps: np.ndarray, norms: np.ndarray, *t_min: float) -> GrowthLaw:
    """A fit that calls the line a root."""
    law = fit_growth_law(steps, norms, *t_min)
    return law._replace(affine={**law.affine, "sqrt": law.affine["linear"]})


def of_the_beginning(steps: np.ndarray, norms: np.ndarray, *t_min: float) -> GrowthLaw:
    """The log-log slope of the checkpoints up to step 20,400."""
    law = fit_growth_law(steps, norms, *t_min)
    return law._replace(log_slope=fit_growth_law(steps[:6], norms[:6]).log_slope)


def swapped(steps: np.ndarray, norms: np.ndarray, rates: np.ndarray) -> Mapping[str, Any]:
    """Each model under the other's name."""
    found = compare_dynamics(steps, norms, rates)
    return {"aligned": found["misaligned"], "misaligned": found["aligned"]}


def without_cross(snapshot: Snapshot) -> dict[str, Any]:
    """The residual of a sum of squares alone, as if every update were at right angles."""
    found = dict(norm_dynamics(snapshot))
    cross = found["norm/cum_cross/all"] / found["norm/rms/all"].square()
    return found | {"norm/identity_residual/all": cross.abs()}


def after_the_update(snapshot: Snapshot) -> dict[str, Any]:
    """The product with the parameters after the update, which contain it."""
    found = dict(norm_dynamics(snapshot))
    theta, delta = (snapshot.params, snapshot.delta)
    x, y = (torch.cat([part.flatten() for part in of.values()]) for of in (theta, delta))
    return found | {"align/theta_delta/all": (x @ y / (x.norm() * y.norm())).reshape(1)}


@pytest.mark.parametrize(
    ("id", "name", "wrong"),
    [
        ("NG-A1", "norm_dynamics", without_cross),
        ("NG-A1", "OPTIMISERS", {"sgd": {"kind": "sgd", "lr": 1e3}}),  # it diverges
        ("NG-A10", "fit_growth_law", line_as_root),
        ("NG-A10", "fit_growth_law", of_the_beginning),
        ("NG-A11", "compare_dynamics", swapped),
        ("NG-A11", "t5_rates", lambda: np.full(N_STEPS, 1e-2)),
        ("NG-A13", "SIGMA", 1e-3),  # so short that the products with the parameters decide
        ("NG-A13", "norm_dynamics", after_the_update),
    ],
)
def test_a_wrong_formula_fails(
    id: str, name: str, wrong: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, name, wrong)
    assert verdict(CLAIMS[id], read(id)) == "fails"


def test_the_published_norms_are_those_of_the_table() -> None:
    table = t5_norms()
    assert len(table.steps) == 21
    assert (table.steps[0], table.steps[-1]) == (0, N_STEPS)
    assert table.norms["encoder"][[0, -1]].tolist() == [304, 2222]
    assert table.norms["encoder+decoder"][[0, -1]].tolist() == [471, 4166]
    assert all((np.diff(x) > 0).all() for x in (table.steps, *table.norms.values()))
    assert t5_norms() is table
    with pytest.raises(ValueError, match="read-only"):
        table.norms["encoder"][0] = 1.0


def test_t5_learns_at_the_inverse_root_of_the_step_after_its_warm_up() -> None:
    rates = t5_rates()
    assert len(rates) == N_STEPS
    assert set(rates[:10_001]) == {0.01}
    assert rates[40_000] == pytest.approx(1 / 200)
