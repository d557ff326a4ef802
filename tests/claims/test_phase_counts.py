"""ET-A8: the published tables, their phases, and criteria that are wrong."""

import math
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from grok.claims.checks import effective_theory_phases as checks
from grok.claims.effective_theory.phase_counts import COUNTS, PHASES, phase_counts
from grok.claims.effective_theory.published import (
    PANELS,
    TABLES,
    Published,
    parse_table,
    published_table,
)
from grok.claims.evidence import Evidence
from grok.claims.reproduce import verdict_of
from grok.metrics.learning_phases import Phase, censored, learning_phase
from grok.metrics.learning_phases import phase_counts as counts_of

GRIDS = {
    **dict.fromkeys(("fig6b", "fig6c", "fig6d"), (11, 16)),
    "fig6a": (13, 13),
    **dict.fromkeys(("coarse", "fine"), (11, 11)),
    **dict.fromkeys(("fig5b", "fig5c", "fig5d"), (11, 10)),
    "fig5a": (10, 10),
    "mnist": (10, 10),
}


def text_of(name: str) -> str:
    folder = files("grok.claims.effective_theory.published")
    return (folder / f"{name}.txt").read_text(encoding="utf-8")


def verdict() -> str:
    return verdict_of(tuple(phase_counts.judge(Evidence({}, checks.et_a8()))))


def test_the_criterion_has_the_published_counts_and_maps() -> None:
    assert verdict() == "holds"


def strictly_later(T_tr: np.ndarray, T_va: np.ndarray) -> np.ndarray:
    return learning_phase(T_tr, T_va, lag=1001)


def sentinel_reached(T_tr: np.ndarray, T_va: np.ndarray) -> np.ndarray:
    """As a reader of the released arrays, in which the last step stands for none."""
    return learning_phase(*(np.where(T < 0, 99_999, T) for T in (T_tr, T_va)))


def last_step_not_reached(T_tr: np.ndarray, T_va: np.ndarray) -> np.ndarray:
    return learning_phase(*(np.where(T == 99_999, -1, T) for T in (T_tr, T_va)))


def other_is_confusion(T_tr: np.ndarray, T_va: np.ndarray) -> np.ndarray:
    found = learning_phase(T_tr, T_va)
    return np.where(found == Phase.OTHER, Phase.CONFUSION, found)


def share_of_float32(correct: np.ndarray, total: int) -> np.ndarray:
    """A mean of float32, read out as a number."""
    return (correct / total).astype(np.float32).astype(np.float64) >= 0.9


def more_than(correct: np.ndarray, total: int) -> np.ndarray:
    return 10 * correct > 9 * total


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("learning_phase", strictly_later),
        ("learning_phase", sentinel_reached),
        ("learning_phase", last_step_not_reached),
        ("learning_phase", other_is_confusion),
        ("reaches", share_of_float32),
        ("reaches", more_than),
    ],
)
def test_a_wrong_criterion_fails(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[..., Any]
) -> None:
    monkeypatch.setattr(checks, name, wrong)
    assert verdict() == "fails"


def test_a_count_that_is_missing_does_not_hold() -> None:
    readings = checks.et_a8()
    del readings["grokking"]["fine"]
    assert verdict_of(tuple(phase_counts.judge(Evidence({}, readings)))) == "fails"


def test_every_cell_of_every_panel_is_counted() -> None:
    assert tuple(phase.name.lower() for phase in Phase) == PHASES
    assert {name: sum(counts) for name, counts in COUNTS.items()} == {
        name: math.prod(GRIDS[name]) for name in PANELS
    }


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_its_published_grid(name: str) -> None:
    table = published_table(name)
    assert table.T_tr.shape == table.T_va.shape == GRIDS[name]
    assert (len(table.rows), len(table.columns)) == GRIDS[name]
    assert published_table(name) is table
    with pytest.raises(ValueError, match="read-only"):
        table.T_tr[0, 0] = 0


@pytest.mark.parametrize("name", TABLES)
def test_the_axis_of_rates_is_a_grid_of_equal_ratios(name: str) -> None:
    exponent = np.log10(published_table(name).columns)
    expected = np.linspace(exponent[0], exponent[-1], len(exponent))
    np.testing.assert_allclose(exponent, expected, atol=3e-3)  # three digits


@pytest.mark.parametrize("name", TABLES)
def test_a_file_names_its_source_and_licence(name: str) -> None:
    head = text_of(name).partition("budget:")[0]
    assert "# Source: github.com/" in head
    assert "MIT licence" in head
    licence = files("grok.claims.effective_theory.published") / "LICENSE"
    assert name in licence.read_text(encoding="utf-8")


def test_the_coarse_grid_is_part_of_figure_6b() -> None:
    coarse, whole = published_table("coarse"), published_table("fig6b")
    assert (coarse.columns == whole.columns[5:]).all()
    assert (coarse.T_tr == whole.T_tr[:, 5:]).all()
    assert (coarse.T_va == whole.T_va[:, 5:]).all()


def test_figures_6a_and_6b_share_their_cell_at_three_rates() -> None:
    a, b = published_table("fig6a"), published_table("fig6b")
    row = a.rows.tolist().index(1e-3)
    for rate in (1e-5, 1e-4, 1e-3, 1e-2):
        i, j = a.columns.tolist().index(rate), b.columns.tolist().index(rate)
        assert (a.T_tr[row, i], a.T_va[row, i]) == (b.T_tr[0, j], b.T_va[0, j])


@pytest.mark.parametrize("name", ["coarse", "fine"])
def test_every_cell_that_generalises_has_a_high_rqi(name: str) -> None:
    table = published_table(name)
    assert table.rqi is not None
    np.testing.assert_allclose(50 * table.rqi, (50 * table.rqi).round(), atol=1e-9)
    assert (table.rqi[table.T_va >= 0] >= 0.78).all()
    assert np.median(table.rqi[table.T_va >= 0]) == 1


def test_the_memorization_of_the_replication_on_images_is_a_matter_of_budget() -> None:
    table = published_table("mnist")
    for budget, counts in ((100_000, (35, 50, 12, 3)), (150_000, (35, 62, 0, 3))):
        phases = learning_phase(censored(table.T_tr, budget), censored(table.T_va, budget))
        assert tuple(counts_of(phases).values()) == (*counts, 0, 0)


def test_a_table_that_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError, match="there are: fig6a"):
        published_table("fig7")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("budget: 100000", "budget: many", "many"),
        ("budget: 100000", "steps: 100000", "expected `budget"),
        ("\nT_va\n", "\nT_val\n", "has the parts T_tr, T_val, RQI"),
        ("T_tr\n0: 1650 ", "T_tr\n0: ", "rows or columns of T_tr"),
        ("T_va\n0: ", "T_va\n1: ", "rows or columns of T_va"),
        ("T_tr\n0: 1650", "T_tr\n0: 99999", "not between 0 and 99998"),
        ("T_tr\n0: 1650", "T_tr\n0: -1", "not between 0 and 99998"),
        ("T_tr\n0: 1650", "T_tr\n0: 1650.5", "1650.5"),
        ("RQI\n0: 1.00", "RQI\n0: 1.02", "RQI is not between"),
        ("decoder lr: 0.0001", "decoder lr: 1", "do not ascend"),
    ],
)
def test_a_damaged_table_is_refused(old: str, new: str, message: str) -> None:
    text = text_of("coarse")
    assert isinstance(parse_table("coarse", text), Published)
    damaged = text.replace(old, new, 1)
    assert damaged != text
    with pytest.raises(ValueError, match=f"published table coarse: .*{message}"):
        parse_table("coarse", damaged)


def test_an_unknown_letter_of_a_map_is_refused() -> None:
    with pytest.raises(ValueError, match="published table fig6a: 'Q'"):
        parse_table("fig6a", text_of("fig6a").replace("MMM", "MQM", 1))
