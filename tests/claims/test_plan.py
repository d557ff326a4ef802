"""The runs that claims ask for: cells of sweeps, trained once for all of them."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grok.claims import claims_of, select
from grok.claims.claim import SEEDS, Arm, Claim
from grok.claims.plan import make_plan, union
from grok.config import (
    FAMILIES,
    InputError,
    MeasuresConfig,
    RunConfig,
    Schedule,
    StopConfig,
    run_key,
)
from grok.config.schema import CheckpointConfig
from grok.sweep import read_sweep
from tests.claims.store import CLAIMS
from tests.running import measures

# Ids and tiers of section 5 of the specification, letters where a claim has several tiers.
TIERS = {
    **{f"IB-0{n}": "U" for n in range(1, 10)},
    **dict.fromkeys(("IB-10", "IB-11", "IB-12", "IB-18", "IB-20", "IB-24", "IB-31", "IB-33"), "S"),
    **dict.fromkeys(("IB-15", "IB-30", "IB-32"), "F"),
    **{"IB-13a": "S", "IB-13b": "F", "IB-14a": "S", "IB-14b": "F", "IB-16a": "S", "IB-16b": "F"},
    "IB-17": "R",
    **{"IB-19a": "F", "IB-19b": "R", "IB-21a": "S", "IB-21b": "F", "IB-22a": "S", "IB-22b": "F"},
    **{"IB-23a": "S", "IB-23b": "F", "IB-25a": "S", "IB-25b": "F", "IB-25c": "R"},
    **{"IB-26a": "F", "IB-26b": "R", "IB-27a": "R", "IB-27b": "S", "IB-28a": "S", "IB-28b": "F"},
    **{"IB-29a": "S", "IB-29b": "F"},
}


def test_every_claim_of_the_paper_is_there_once_with_its_tier() -> None:
    claims = claims_of("inductive-bias")
    assert {claim.id: claim.tier for claim in claims} == TIERS
    assert len(claims) == len(TIERS)
    assert {id[:5] for id in TIERS} == {f"IB-{n:02}" for n in range(1, 34)}


# Singh et al.: short runs, whole runs mod 59, the paper's runs. Nanda et al.: the presets and the
# run without decay, and the mainline run. Liu et al.: toy networks with decay, and mod 53.
# Merrill et al.: small language models.
LONGEST = {
    "IB": {"S": 2200, "R": 6000, "F": 10_000},
    "PM": {"S": 10_000, "F": 40_000},
    "ET": {"S": 20_000, "R": 20_000},
    "NG": {"S": 2000},
}


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)
def test_a_claim_says_what_it_is_and_has_what_its_tier_needs(claim: Claim) -> None:
    assert claim.statement
    assert claim.source
    assert bool(claim.check) == (claim.tier in ("U", "hub")) != bool(claim.arms)
    assert all(arm.n_steps <= LONGEST[claim.id[:2]][claim.tier] for arm in claim.arms.values())
    assert claim.tier != "F" or any(arm.n_steps >= 5000 for arm in claim.arms.values())


# select.


def ids(*only: str, tiers: tuple[str, ...] = ("U", "S")) -> list[str]:
    return [claim.id for claim in select("inductive-bias", tiers, only)]


def test_tiers_select_their_claims() -> None:
    assert ids(tiers=("R",)) == [name for name, tier in sorted(TIERS.items()) if tier == "R"]
    assert len(ids(tiers=("U", "S", "R", "F"))) == len(TIERS)


def test_a_number_selects_all_its_parts_whatever_their_tier() -> None:
    assert ids("IB-21") == ["IB-21a", "IB-21b"]
    assert ids("IB-21b", "IB-04") == ["IB-04", "IB-21b"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: select("bias", ("S",)),
            "no claims of a paper 'bias'; there are: inductive-bias, ",
        ),
        (lambda: ids(tiers=("S", "X")), "no tier 'X'; there are: U, S, R, F"),
        (lambda: ids("IB-34"), "no claim 'IB-34'; there are: IB-01, IB-02"),
        (lambda: ids("IB-2"), "no claim 'IB-2'; there are:"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


# union.


def run(**fields: Any) -> RunConfig:
    return RunConfig(**fields)


def test_the_union_is_as_long_as_the_longer() -> None:
    assert union(run(n_steps=50), run(n_steps=200)).n_steps == 200
    assert union(run(n_steps=200), run(n_steps=50)).n_steps == 200


@pytest.mark.parametrize("family", FAMILIES)
def test_the_union_reads_a_family_that_either_reads(family: str) -> None:
    on, off = (run(measures=measures(**{family: s})) for s in (Schedule(every=7), None))
    for found in (union(on, off), union(off, on)):
        assert getattr(found.measures, family) == getattr(on.measures, family)
    assert not getattr(union(off, off).measures, family).enabled


def test_the_union_stops_early_only_where_both_do() -> None:
    early = StopConfig(when="sustained", accuracy=0.5)
    assert union(run(stop=early), run(stop=early)).stop == early
    assert union(run(stop=early), run()).stop.when == "never"
    assert union(run(stop=early), run(stop=replace(early, accuracy=0.9))).stop.when == "never"


def test_the_union_keeps_the_checkpoints_of_both() -> None:
    x, y = (run(checkpoint=CheckpointConfig(every=n)) for n in (400, 600))
    assert union(x, y).checkpoint.every == 200
    assert union(x, run()).checkpoint.every == 400


schedules = st.builds(
    Schedule,
    dense=st.integers(0, 60),
    every=st.integers(0, 300),
    per_decade=st.integers(0, 12),
)


@given(x=schedules, y=schedules)
@settings(max_examples=40, deadline=None)
def test_the_union_reads_at_every_step_at_which_either_does(x: Schedule, y: Schedule) -> None:
    a, b = (run(measures=measures(norm=schedule)) for schedule in (x, y))
    both = union(a, b).measures.norm.schedule
    assert union(b, a).measures.norm.schedule == both
    due = {step for step in range(400) if x.is_due(step) or y.is_due(step)}
    assert due <= {step for step in range(400) if both.is_due(step)}


# make_plan.


def arm(*flags: str, n_steps: int = 100) -> Arm:
    return Arm(sweep="inductive_bias/layernorm", flags=flags, n_steps=n_steps)


def claim(id: str, tier: Any = "S", **arms: Arm) -> Claim:
    return Claim(
        id=id, tier=tier, statement="", source="", published="", judge=lambda _: (), arms=arms
    )


def test_runs_that_claims_share_are_trained_once_for_all_of_them() -> None:
    dense = "--measures.norm.schedule.dense=50"
    plan = make_plan(
        [
            claim("A", m=arm("--model.norm=M", n_steps=300), off=arm("--model.norm=none")),
            claim("B", m=arm("--model.norm=M", dense, "--measures.task.enabled=false")),
        ],
        seeds=[1, 2],
    )
    assert set(plan.cells) == {("A", "m"), ("A", "off"), ("B", "m")}
    assert [config.n_steps for config in plan.configs] == [300, 300, 100, 100]
    shared = {run_key(c) for c in plan.cells["B", "m"].values()}
    assert {run_key(c) for c in plan.configs[:2]} == shared
    for config in plan.configs[:2]:
        assert config.measures.norm.schedule.dense == 50
        assert config.measures.task.enabled
    assert plan.cells["B", "m"][1].n_steps == 100


def test_an_arm_runs_on_the_seeds_of_its_tier_or_those_asked_for() -> None:
    claims = [claim("A", "S", x=arm("--model.norm=M")), claim("B", "F", x=arm("--model.norm=M"))]
    plan = make_plan(claims)
    assert tuple(plan.cells["A", "x"]) == SEEDS["S"] == (456, 789, 111)
    assert tuple(plan.cells["B", "x"]) == SEEDS["F"] == (456, 789, 111, 222, 333)
    assert tuple(make_plan(claims, [5]).cells["B", "x"]) == (5,)


def test_an_arm_that_is_no_single_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="A, x: 7 cells of inductive_bias/layernorm, not one"):
        make_plan([claim("A", x=arm())])


def test_measures_have_families_that_the_union_knows() -> None:
    """A new field of a family, such as kernel.n_pairs, is taken from the first run."""
    plain = {"enabled", "schedule"}
    extra = {
        (name, field)
        for name in FAMILIES
        for field in set(vars(getattr(MeasuresConfig(), name))) - plain
    }
    assert extra == {
        ("kernel", "n_pairs"),
        ("kernel", "n_projections"),
        ("hessian", "n_eigenvalues"),
        ("progress", "keys"),
        ("progress", "rule"),
        ("irrep", "keys"),
        ("dynamics", "sets"),
        ("dynamics", "lag"),
        ("saturation", "factor"),
        ("saturation", "include"),
        ("saturation", "tol"),
        ("saturation", "n_examples"),
        ("saturation", "check_convergence"),
        ("homogeneity", "scales"),
        ("homogeneity", "n_examples"),
        ("heads", "tol"),
        ("heads", "argmax_below"),
        ("heads", "mean_from"),
    }


@pytest.mark.slow  # parses every arm of every claim
def test_every_arm_is_one_cell_parsed_as_its_sweep_would_with_that_seed() -> None:
    plan = make_plan(CLAIMS.values())
    parsed: dict[tuple[str, tuple[str, ...]], RunConfig] = {}
    for (id, name), runs in plan.cells.items():
        arm = CLAIMS[id].arms[name]
        assert tuple(runs) == (CLAIMS[id].seeds or SEEDS[CLAIMS[id].tier])
        if (cell := (arm.sweep, arm.flags)) not in parsed:
            seed = next(iter(runs))
            flags = ["--tracking.mode=disabled", *arm.flags, f"--seeds={seed}"]
            [found] = read_sweep(arm.sweep).runs(flags)
            parsed[cell] = found.config
        first = parsed[cell].data.split_seed
        if first in runs:
            assert runs[first] == replace(parsed[cell], n_steps=arm.n_steps)
        assert [c.data.split_seed for c in runs.values()] == list(runs)
        assert [c.model.init_seed for c in runs.values()] == list(runs)
    needed = {run_key(config) for runs in plan.cells.values() for config in runs.values()}
    assert {run_key(config) for config in plan.configs} == needed
    assert len(plan.configs) == len(needed)


@pytest.mark.slow
def test_runs_without_norm_are_the_same_run_in_every_sweep() -> None:
    """IB-11, 23, 24 and 31 ask four sweeps for it."""
    plan = make_plan([CLAIMS[id] for id in ("IB-11", "IB-23a", "IB-24", "IB-31")])
    arms = (("IB-11", "No LN"), ("IB-23a", "1.0"), ("IB-24", "1.0"), ("IB-31", "No LN"))
    assert len({run_key(plan.cells[cell][456]) for cell in arms}) == 1
    [shared] = [c for c in plan.configs if run_key(c) == run_key(plan.cells["IB-11", "No LN"][456])]
    assert shared.n_steps == 2200
    assert shared.measures.norm.schedule.dense == 50
