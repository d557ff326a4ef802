"""What the criteria of the claims make of stored readings: the published ones hold, others not."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grok.claims import Claim
from grok.claims.checks import Readings
from grok.claims.claim import Part
from grok.claims.plan import Plan
from grok.claims.reproduce import judged, verdict_of
from grok.runs import RunStore, write_status
from tests.claims import (
    broken_inductive_bias,
    broken_theory,
    published,
    published_growth,
    published_homogeneity,
    published_hub,
    published_images,
    published_language,
    published_progress,
    published_theory,
)
from tests.claims.broken_inductive_bias import NEVER, OFF, alphas
from tests.claims.store import (
    CLAIMS,
    Curve,
    changed,
    fill,
    merged,
    plan_of,
    rises,
    steady,
    through,
)

Stored = Callable[[Claim], tuple[Path, Plan]]
SOURCES = (
    published,
    published_progress,
    published_theory,
    published_images,
    published_growth,
    published_homogeneity,
    published_hub,
    published_language,
)
PUBLISHED = {id: x for source in SOURCES for id, x in source.PUBLISHED.items()}
UNIT = {id: x for source in SOURCES for id, x in source.UNIT.items()}
TRAINED = [claim for claim in CLAIMS.values() if not claim.check]
COMPUTED = [claim for claim in CLAIMS.values() if claim.check]
TRAINED_CASES = pytest.mark.parametrize("claim", TRAINED, ids=lambda claim: claim.id)
COMPUTED_CASES = pytest.mark.parametrize("claim", COMPUTED, ids=lambda claim: claim.id)

# For each claim: readings that break it, each list of changes on its own. Together they break
# every part of its criterion.
BROKEN = {
    **broken_inductive_bias.BROKEN,
    **published_progress.BROKEN,
    **broken_theory.BROKEN,
    **published_images.BROKEN,
    **published_language.BROKEN,
}


def is_judged(claim: Claim, arm: str, key: str) -> bool:
    """Whether a reading enters the criterion; the others are shown, or let a run stop."""
    if claim.id.startswith("NG-"):
        return published_language.is_judged(claim.id, arm, key)
    if claim.id == "IB-25c" and key == "acc/test":
        return arm == "1.0"
    if claim.id == "IB-27a":
        return not arm.endswith("/1.0") and not arm.startswith("eta_0, eta*lambda/alpha^2")
    if (claim.id, key) in (("ET-D3", "acc/test"), ("ET-D6", "acc/train")):
        return False
    return (claim.id, arm, key) != ("ET-D5", "alpha 1", "acc/train") and (
        (claim.id, arm) != ("IB-22b", "3.0e-3")
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """The run store with the published readings of a claim, and its plan."""
    found: dict[str, tuple[Path, Plan]] = {}

    def of(claim: Claim) -> tuple[Path, Plan]:
        if claim.id not in found:
            root = tmp_path_factory.mktemp(claim.id)
            found[claim.id] = root, fill(root, claim, PUBLISHED[claim.id])
        return found[claim.id]

    return of


def judged_parts(claim: Claim, root: Path, plan: Plan) -> list[Part]:
    result = judged(claim, plan, root)
    assert result.verdict != "not run", result.reason
    return [part for part in result.parts if part.holds is not None]


@pytest.mark.slow  # parses the arms of all claims
@TRAINED_CASES
def test_without_runs_a_claim_is_not_run(claim: Claim, tmp_path: Path) -> None:
    result = judged(claim, plan_of(claim), tmp_path)
    assert (result.verdict, result.parts) == ("not run", ())
    assert f"is not in {tmp_path}" in result.reason


@pytest.mark.slow
@TRAINED_CASES
def test_a_claim_holds_for_the_published_readings(claim: Claim, stored: Stored) -> None:
    root, plan = stored(claim)
    parts = judged_parts(claim, root, plan)
    assert [part for part in parts if not part.holds] == []
    assert judged(claim, plan, root).verdict == "holds"


@pytest.mark.slow
@TRAINED_CASES
def test_each_part_fails_beyond_its_bound(claim: Claim, stored: Stored) -> None:
    root, plan = stored(claim)
    unmet, n_parts = set(), len(judged_parts(claim, root, plan))
    for change in BROKEN[claim.id]:
        changes = change if isinstance(change, list) else [change]
        readings = merged(*({arm: {key: curve}} for arm, key, curve in changes))
        with changed(root, claim, plan, readings):
            found = [i for i, p in enumerate(judged_parts(claim, root, plan)) if not p.holds]
            assert judged(claim, plan, root).verdict == "fails", changes
        unmet.update(found)
    assert unmet == set(range(n_parts))


# Of how many seeds something is found: one of which nothing is known may be among the others.
COUNTS = ("ET-B2", "ET-D1")


@pytest.mark.slow
@TRAINED_CASES
def test_no_claim_holds_when_a_reading_of_one_seed_is_no_number(
    claim: Claim, stored: Stored
) -> None:
    root, plan = stored(claim)
    for arm, curves in PUBLISHED[claim.id].items():
        for key, curve in curves.items():

            def last_seed_is_nan(place: int, curve: Curve = curve) -> Any:
                return {0: math.nan} if place == 2 or claim.id in COUNTS else curve(place)

            if is_judged(claim, arm, key):
                with changed(root, claim, plan, {arm: {key: last_seed_is_nan}}):
                    assert judged(claim, plan, root).verdict != "holds", (arm, key)


@pytest.mark.slow
def test_onsets_that_were_not_reached_rank_last(stored: Stored) -> None:
    """IB-26 with alpha = 1.25 and 1.5 never under eta_0 / alpha^2, as the mean curve has it."""
    claim = CLAIMS["IB-26a"]
    root, plan = stored(claim)
    arms = alphas((2021, 5531, 6328, None, None), "inverse_square_readout")
    with changed(root, claim, plan, merged(*({arm: {key: c}} for arm, key, c in arms))):
        assert judged(claim, plan, root).verdict == "holds"


@pytest.mark.slow
def test_a_comparison_with_an_onset_beyond_the_horizon_takes_the_horizon(stored: Stored) -> None:
    """IB-17: M at 2,100 is not shown to take half of an onset that lies beyond 4,000."""
    claim = CLAIMS["IB-17"]
    root, plan = stored(claim)
    never = {OFF: {"acc/test": NEVER}, "A^qk": {"acc/test": NEVER}}
    with changed(root, claim, plan, never):
        assert judged(claim, plan, root).verdict == "holds"
        late = {name: {"acc/test": rises(2100)} for name in ("M", "M+A*")}
        with changed(root, claim, plan, late):
            assert judged(claim, plan, root).verdict == "fails"


@pytest.mark.slow
def test_without_an_onset_there_is_no_step_at_60_percent_of_it(stored: Stored) -> None:
    claim = CLAIMS["IB-25c"]
    root, plan = stored(claim)
    with changed(root, claim, plan, {"1.0": {"acc/test": rises((2000, 1500, None))}}):
        result = judged(claim, plan, root)
    assert result.verdict == "not run"
    assert "does not generalise" in result.reason


@pytest.mark.slow
def test_the_saturation_of_a_collapsed_model_is_not_judged(stored: Stored) -> None:
    """NG-C7, where one run of pre_ln is no better than frequencies."""
    claim = CLAIMS["NG-C7"]
    root, plan = stored(claim)
    for loss in (4.9999, 5.0):
        with changed(root, claim, plan, {"pre_ln": {"loss/test": steady((4.2, loss, 4.2))}}):
            result = judged(claim, plan, root)
        assert result.verdict == ("holds" if loss < 5 else "not run")
    assert "is no better than frequencies: its saturation says nothing" in result.reason
    with changed(root, claim, plan, {"post_ln": {"loss/test": steady(5.0)}}):
        assert judged(claim, plan, root).verdict == "holds"


@pytest.mark.slow
def test_a_boundary_between_two_readings_of_another_family_is_judged(stored: Stored) -> None:
    claim = CLAIMS["PM-C6"]
    root, plan = stored(claim)
    loss = through({0: 4.76, 200: 14.0, 9400: 5.0, 9425: 4.0, 11_000: 2e-3})
    late = through({0: 0.009, 9400: 0.6, 9500: 0.7})
    with changed(root, claim, plan, {published_progress.MAIN: {"loss/test": loss}}):
        assert judged(claim, plan, root).verdict == "holds"
    both = {"loss/test": loss, "acc/test": late}  # 0.625 at step 9,425
    with changed(root, claim, plan, {published_progress.MAIN: both}):
        assert judged(claim, plan, root).verdict == "fails"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        # By a rule that the claim's own run does not have: training would go on.
        ({"status": "completed", "stopped_by": "stop.when=sustained"}, "not run"),
        ({"status": "interrupted"}, "not run"),
        ({"status": "failed"}, "not run"),
        ({"status": "diverged"}, "holds"),  # after what the claim looks at
    ],
)
def test_a_run_that_ended_early_counts_where_it_will_not_go_on(
    status: dict[str, Any], verdict: str, tmp_path: Path
) -> None:
    claim = CLAIMS["IB-13b"]
    plan = fill(tmp_path, claim, PUBLISHED[claim.id])
    run = RunStore(tmp_path).runs()[0]
    write_status(run, step=5000, **status)
    result = judged(claim, plan, tmp_path)
    assert result.verdict == verdict
    assert verdict == "holds" or result.reason == f"{run.key} stands at step 5,000 of 10,000"


@pytest.mark.slow
def test_a_run_that_its_claim_lets_stop_counts_once_it_has_generalised(tmp_path: Path) -> None:
    claim = CLAIMS["IB-26b"]
    plan = fill(tmp_path, claim, PUBLISHED[claim.id])
    run = next(r for r in RunStore(tmp_path).runs() if r.config.stop.when == "sustained")
    steps, accuracy = run.series("acc/test")
    onset = int(steps[accuracy >= 0.99][0])
    write_status(run, status="completed", step=onset + 1000)
    assert judged(claim, plan, tmp_path).verdict == "holds"
    write_status(run, status="completed", step=onset + 500)
    assert judged(claim, plan, tmp_path).verdict == "not run"


@pytest.mark.slow
def test_a_diverged_run_is_not_one_that_never_generalises(tmp_path: Path) -> None:
    """IB-14b asks that no seed reaches test loss 0.01."""
    claim = CLAIMS["IB-14b"]
    plan = fill(tmp_path, claim, PUBLISHED[claim.id])
    assert judged(claim, plan, tmp_path).verdict == "holds"
    write_status(RunStore(tmp_path).runs()[0], status="diverged", step=5000)
    assert judged(claim, plan, tmp_path).verdict == "fails"


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """The verdict on a claim whose check reads these values."""

    def of(claim: Claim, readings: Readings) -> str:
        monkeypatch.setattr(f"grok.claims.checks.{claim.check}", lambda: readings)
        return judged(claim, Plan({}, []), tmp_path).verdict

    return of


@COMPUTED_CASES
def test_a_check_without_readings_is_not_run(claim: Claim, check: Callable[..., str]) -> None:
    assert check(claim, {}) == "not run"


@COMPUTED_CASES
def test_a_check_holds_for_the_right_values(claim: Claim, check: Callable[..., str]) -> None:
    assert check(claim, UNIT[claim.id]) == "holds"


@COMPUTED_CASES
def test_a_check_fails_for_one_wrong_value(claim: Claim, check: Callable[..., str]) -> None:
    shown = published_hub.SHOWN.get(claim.id, ())
    for quantity, cases in UNIT[claim.id].items():
        for case, value in cases.items():
            if f"{quantity}/{case}".startswith(shown):
                continue
            verdicts = {
                wrong: check(claim, UNIT[claim.id] | {quantity: cases | {case: wrong}})
                for wrong in (value + 1, value - 1, math.nan)
            }
            assert "fails" in (verdicts[value + 1], verdicts[value - 1]), (quantity, case)
            assert verdicts[math.nan] == "fails", (quantity, case)


def test_a_claim_that_judges_nothing_is_not_run() -> None:
    assert verdict_of([]) == "not run"
    assert verdict_of([Part("loss", "1", "", None)]) == "not run"
    assert verdict_of([Part("loss", "1", "", None), Part("loss", "1", "< 2", True)]) == "holds"
    assert verdict_of([Part("loss", "1", "< 2", True), Part("loss", "1", "< 1", False)]) == "fails"
