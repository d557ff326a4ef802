"""Figures of Liu et al. 2022 from an invented store: what is drawn, and what is missing."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grok.report.figures import figures_of
from grok.report.figures.base import Source
from grok.report.figures.draw import draw_figure
from grok.report.palette import FORMATS
from grok.sweep import read_sweep
from tests.claims.published_theory import SIZES
from tests.report.embedding_store import FLIPPED, ROWS, fill_rates, fill_sizes, size_readings
from tests.running import command

FIGURES = figures_of("effective-theory")
THEORY = ("4a", "4c", "5a")
"""Figures that need no run."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that figures 3, 4b, 5b and 10 show, and three rows of 6a."""
    root = tmp_path_factory.mktemp("runs")
    fill_sizes(root)
    fill_rates(root)
    return root


def panels(store: Path, name: str, lacks: bool = False) -> list[Axes]:
    """The panels of a figure."""
    source, canvas = Source(store), Figure()
    FIGURES[name].draw(canvas, source)
    assert bool(source.missing) == lacks
    return canvas.axes


def line(axes: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    """The line with that label."""
    (found,) = (x for x in axes.lines if x.get_label() == label)
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def pairs(xy: tuple[np.ndarray, np.ndarray]) -> list[tuple[float, float]]:
    return sorted((float(f"{x:.6g}"), float(f"{y:.6g}")) for x, y in zip(*xy, strict=True))


def test_every_figure_with_readings_is_there_in_the_paper_s_order() -> None:
    numbers = [int(name.rstrip("abcd")) for name in FIGURES]
    assert numbers == sorted(numbers)
    assert set(numbers) == {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 14, 15, 17, 18, 20}


def test_accuracies_are_those_of_step_5000_by_size(store: Path) -> None:
    real, predicted, both = panels(store, "3")
    late = {(n, s): size_readings(n, s)[5000] for n in SIZES for s in range(3)}
    expected = {
        key: [(n / 55, float(found[key])) for (n, _), found in late.items()]
        for key in ("repr/acc", "repr/predicted_acc")
    }
    for axes, key in ((real, "repr/acc"), (predicted, "repr/predicted_acc")):
        x, y = (np.array(each) for each in zip(*expected[key], strict=True))
        assert pairs(line(axes, "stored runs")) == pairs((x, y))
    x, y = (np.array([found[key] for found in late.values()]) for key in reversed(expected))
    assert pairs(line(both, "stored runs")) == pairs((x, y))


def test_published_runs_are_drawn_beside_ours(store: Path) -> None:
    right = [(n / 55, run[1] / 55) for n, runs in SIZES.items() for run in runs]
    x, y = (np.array(each) for each in zip(*right, strict=True))
    assert pairs(line(panels(store, "3")[0], "published")) == pairs((x, y))


def test_steps_of_the_structure_are_the_first_readings_and_never_is_marked(store: Path) -> None:
    (axes,) = panels(store, "4b")
    came = [(n / 55, run[2] + 100.0) for n, runs in SIZES.items() for run in runs if run[2]]
    x, y = (np.array(each) for each in zip(*came, strict=True))
    assert pairs(line(axes, "stored runs")) == pairs((x, y))
    never, _ = line(axes, "stored runs, never")
    assert sorted(never) == sorted(n / 55 for n, runs in SIZES.items() for r in runs if not r[2])


def test_the_theory_s_time_is_that_of_the_published_runs(store: Path) -> None:
    """Same training sets, so the same rates; the published ones have four digits."""
    (axes,) = panels(store, "5b")
    (ours, _), (theirs, _) = line(axes, "stored runs"), line(axes, "published")
    np.testing.assert_allclose(ours, theirs, rtol=0.01)


def test_a_map_counts_the_cells_that_agree(store: Path) -> None:
    *_, agreement = panels(store, "6a", lacks=True)
    share = 1 - len(FLIPPED) / (len(ROWS) * 13)
    assert f"same {share:.0%}" in agreement.get_title()


@pytest.mark.parametrize("name", THEORY)
def test_theory_needs_no_run(name: str, tmp_path: Path) -> None:
    assert all(axes.lines for axes in panels(tmp_path, name))


def test_the_published_trajectory_lies_on_the_theory(tmp_path: Path) -> None:
    (axes,) = panels(tmp_path, "4c")
    paths = [line(axes, str(symbol)) for symbol in range(10)]
    published = [x for x in axes.lines if x.get_label() == "published"]
    assert len(published) == 3
    for marks in published:
        steps, values = np.asarray(marks.get_xdata()), np.asarray(marks.get_ydata())
        ours = [np.interp(steps[0], *path) for path in paths]
        np.testing.assert_allclose(sorted(ours), sorted(values), atol=0.01)


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in THEORY])
def test_an_empty_store_lacks_what_a_command_makes(name: str, tmp_path: Path) -> None:
    source = Source(tmp_path)
    FIGURES[name].draw(Figure(), source)
    assert source.missing
    for _, made_by in source.missing:
        program, verb, *rest = made_by.split()
        assert program == "grok"
        if verb == "sweep":
            assert rest[0] == "run"
            assert read_sweep(rest[1]).runs(rest[2:])
        else:
            assert (name, verb) == ("2", "train")


def test_exit_codes_tell_a_whole_figure_from_one_that_lacks_something(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = f"--output={tmp_path / 'a.png'}"
    whole = command(capsys, "figure", "effective-theory", "10", f"--runs_dir={store}", output)
    assert (whole.code, whole.err) == (0, "")
    empty = command(capsys, "figure", "effective-theory", "10", f"--runs_dir={tmp_path}", output)
    assert empty.code == 1
    assert "grok sweep run effective_theory/addition_size" in empty.err


def test_a_figure_has_the_same_bytes_twice(store: Path) -> None:
    first, second = (draw_figure(FIGURES["4b"], Source(store), FORMATS) for _ in range(2))
    assert first == second
