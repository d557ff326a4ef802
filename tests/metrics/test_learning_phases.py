import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grok.metrics.learning_phases import (
    Phase,
    censored,
    learning_phase,
    log_delay,
    majority_phase,
    phase_counts,
    phase_frequency,
    phase_shares,
    reaches,
)

C, G, M, X, OTHER, U = Phase
STEP = st.integers(-1, 5000)
STEPS = st.lists(st.tuples(STEP, STEP), min_size=1, max_size=20)


def one(T_tr: int, T_va: int, is_spent: bool = True, **kwargs: float) -> Phase:
    found = learning_phase(np.array(T_tr), np.array(T_va), is_spent, **kwargs)  # type: ignore[arg-type]
    return Phase(int(found))


def columns(steps: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    T_tr, T_va = np.array(steps).T
    return T_tr, T_va


@given(st.integers(1, 3000), st.data(), st.integers(0, 100))
def test_a_share_reaches_a_threshold_exactly_when_its_fraction_does(
    total: int, data: st.DataObject, percent: int
) -> None:
    correct = data.draw(st.integers(0, total))
    expected = Fraction(correct, total) >= Fraction(percent, 100)
    assert reaches(np.array([correct]), total, percent).tolist() == [expected]
    assert reaches(torch.tensor([correct]), torch.tensor(total), percent).tolist() == [expected]


def test_nine_of_ten_reach_ninety_percent_where_a_rounded_share_does_not() -> None:
    assert float(np.float32(9) / np.float32(10)) < 0.9
    assert reaches(torch.tensor(9), 10)
    assert not reaches(torch.tensor(8), 10)


def test_nothing_is_reached_on_no_questions() -> None:
    assert not reaches(np.array([0]), 0).any()


@pytest.mark.parametrize("count", [np.array([0.9]), torch.tensor([9], dtype=torch.int32)])
def test_only_whole_counts_that_do_not_overflow_are_compared(count: object) -> None:
    with pytest.raises(TypeError, match="counts are int64"):
        reaches(count, 10)


def test_a_threshold_is_a_percentage() -> None:
    with pytest.raises(ValueError, match="percent=101"):
        reaches(np.array([1]), 1, 101)


@pytest.mark.parametrize(
    ("T_tr", "T_va", "phase"),
    [
        (10, 1009, C),
        (10, 1010, G),
        (2000, 0, C),
        (10, -1, M),
        (-1, -1, X),
        (-1, 10, OTHER),
        (99_999, 99_999, C),
        (0, 0, C),
    ],
)
def test_each_pair_of_steps_has_its_phase(T_tr: int, T_va: int, phase: Phase) -> None:
    assert one(T_tr, T_va) == phase


@given(STEPS, st.integers(1, 3000))
def test_a_diagram_is_labelled_cell_by_cell(steps: list[tuple[int, int]], lag: int) -> None:
    T_tr, T_va = columns(steps)
    expected = []
    for a, b in steps:  # the table of the phases, line by line
        if a < 0:
            expected.append(X if b < 0 else OTHER)
        elif b < 0:
            expected.append(M)
        else:
            expected.append(C if b - a < lag else G)
    assert learning_phase(T_tr, T_va, lag=lag).tolist() == expected


@given(STEPS)
def test_a_longer_lag_only_turns_grokking_into_comprehension(steps: list[tuple[int, int]]) -> None:
    short, long = (learning_phase(*columns(steps), lag=lag) for lag in (100, 2000))
    changed = short != long
    assert (short[changed] == G).all()
    assert (long[changed] == C).all()


@given(STEPS, st.integers(2, 9))
def test_the_relative_criterion_is_blind_to_the_speed(steps: list[tuple[int, int]], k: int) -> None:
    T_tr, T_va = columns(steps)
    slower = [np.where(T < 0, -1, k * T) for T in (T_tr, T_va)]
    found = learning_phase(T_tr, T_va, ratio=2.0)
    assert (learning_phase(*slower, ratio=2.0) == found).all()


@pytest.mark.parametrize(
    ("T_tr", "T_va", "phase"), [(10, 19, C), (10, 20, G), (0, 0, C), (0, 1, G), (9000, 17_000, C)]
)
def test_a_ratio_is_reached_by_equality(T_tr: int, T_va: int, phase: Phase) -> None:
    assert one(T_tr, T_va, ratio=2.0) == phase


@given(STEPS, st.lists(st.booleans(), min_size=20, max_size=20))
def test_a_cell_stopped_early_is_undecided_unless_it_reached_both(
    steps: list[tuple[int, int]], spent: list[bool]
) -> None:
    T_tr, T_va = columns(steps)
    is_spent = np.array(spent[: len(steps)])
    whole = learning_phase(T_tr, T_va)
    found = learning_phase(T_tr, T_va, is_spent)
    both = (T_tr >= 0) & (T_va >= 0)
    assert (found[both | is_spent] == whole[both | is_spent]).all()
    assert (found[~both & ~is_spent] == U).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.array([-2]), np.array([0])), "at least 0, or -1"),
        ((np.array([0]), np.array([-2])), "at least 0, or -1"),
        ((np.array([0]), np.array([0, 1])), "steps of shapes"),
    ],
)
def test_what_is_no_first_passage_is_refused(
    arguments: tuple[np.ndarray, np.ndarray], message: str
) -> None:
    # Shapes that differ are refused by the shape checker as well, which stands before.
    with pytest.raises(Exception, match=rf"{message}|Type-check error"):
        learning_phase(*arguments)


def test_a_ratio_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ratio=1\.0"):
        one(1, 2, ratio=1.0)


@given(STEPS, st.integers(0, 5000))
def test_a_shorter_budget_forgets_what_came_after_it(
    steps: list[tuple[int, int]], last: int
) -> None:
    T, _ = columns(steps)
    assert censored(T, last).tolist() == [t if t <= last else -1 for t in T.tolist()]


def test_the_delay_is_in_decades() -> None:
    T_tr = np.array([10, 100, 7, -1, 5, 0, 5, 0])
    T_va = np.array([1000, 10, 7, 5, -1, 5, 0, 0])
    expected = [2.0, -1.0, 0.0, math.nan, math.nan, math.inf, -math.inf, math.nan]
    np.testing.assert_allclose(log_delay(T_tr, T_va), expected, rtol=1e-15)


@given(st.lists(st.sampled_from([int(phase) for phase in Phase]), min_size=1))
def test_every_cell_is_counted_once(codes: list[int]) -> None:
    phases = np.array(codes)
    counts = phase_counts(phases)
    assert list(counts) == list(Phase)
    assert {phase: codes.count(phase) for phase in Phase} == counts
    assert math.isclose(sum(phase_shares(phases).values()), 1)
    assert phase_shares(phases)[G] == counts[G] / len(codes)


def test_no_cell_has_no_shares() -> None:
    assert all(math.isnan(share) for share in phase_shares(np.zeros(0, dtype=np.int64)).values())


def test_frequencies_are_shares_of_the_seeds() -> None:
    seeds = np.array([[C, M], [C, X], [G, X], [U, X]])
    expected = [[0.5, 0.25, 0, 0, 0, 0.25], [0, 0, 0.25, 0.75, 0, 0]]
    assert phase_frequency(seeds).tolist() == expected


@pytest.mark.parametrize(
    ("seeds", "phase"),
    [
        ([G, C, G], G),
        ([G, C], U),
        ([U, U, M], M),
        ([U, U], U),
        ([OTHER], OTHER),
        ([C, C, G, G, M], U),
    ],
)
def test_the_majority_is_of_decided_seeds_and_a_tie_is_none(
    seeds: list[Phase], phase: Phase
) -> None:
    assert majority_phase(np.array(seeds)[:, None]).tolist() == [phase]


def test_there_is_no_frequency_over_no_seeds() -> None:
    with pytest.raises(ValueError, match="no seed"):
        phase_frequency(np.zeros((0, 3), dtype=np.int64))
