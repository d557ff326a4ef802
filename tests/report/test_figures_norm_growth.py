"""Figures of Merrill et al. 2021 from an invented store: what is drawn, and what is missing."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from grok.report.figures import figures_of
from grok.report.figures.base import Source
from grok.report.figures.draw import draw_figure
from grok.report.figures.norm_growth import published
from grok.report.figures.norm_growth.saturation import FACTORS
from grok.report.palette import FORMATS
from grok.sweep import read_sweep
from tests.report.norm_store import STEPS, dynamics, fill, fill_grids, growth, saturation, scales
from tests.running import command

FIGURES = figures_of("norm-growth")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that figures 1 to 5 show."""
    root = tmp_path_factory.mktemp("runs")
    fill(root)
    return root


def panels(store: Path, name: str) -> list[Axes]:
    """The panels of a figure, which lacks nothing."""
    source, canvas = Source(store), Figure()
    FIGURES[name].draw(canvas, source)
    assert source.missing == []
    return canvas.axes


def curve(axes: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    """The line with that label."""
    (line,) = (x for x in axes.lines if x.get_label() == label)
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


@pytest.mark.parametrize(
    ("figure", "panel", "label", "rise", "key"),
    [
        ("1", 1, "sublayer_ln", 1.0, "norm/theta/encoder"),
        ("1", 2, "block 2", 1.0, "norm/theta/layer.1"),
        ("1", 4, "post_ln", 0.2, "dir/cos_prev/encoder"),
        ("5", 1, "constant rate, decay 0.01", 1.0, "align/theta_delta/encoder"),
        ("5", 3, "rate 1/√t, no decay", 0.3, "norm/delta/encoder"),
    ],
)
def test_a_curve_is_the_mean_of_the_seeds(
    store: Path, figure: str, panel: int, label: str, rise: float, key: str
) -> None:
    x, y = curve(panels(store, figure)[panel], label)
    expected = {t: dynamics(t, rise)[key] for t in STEPS if key in dynamics(t, rise)}
    assert x.tolist() == list(expected)
    np.testing.assert_allclose(y, 0.98 * np.array(list(expected.values())), rtol=1e-6)


def test_saturation_by_layer_is_the_median_at_first_and_at_the_end(store: Path) -> None:
    for axes, step in zip(panels(store, "2"), (0, 2000), strict=True):
        x, y = curve(axes, "pre_ln")
        assert x.tolist() == [0.5, 1.0]
        np.testing.assert_allclose(y, 0.98 * np.array([*saturation(0.6)[step].values()]), rtol=1e-6)


def test_cosines_are_read_at_every_factor(store: Path) -> None:
    for axes in panels(store, "4"):
        x, y = curve(axes, "post_ln")
        assert x.tolist() == list(FACTORS)
        np.testing.assert_allclose(y, 0.98 * np.array([*scales(0.2).values()]), rtol=1e-6)


def test_shares_of_heads_add_up_to_one(store: Path) -> None:
    for axes in panels(store, "3"):
        for patch in axes.patches:
            corners = np.asarray(patch.get_xy())[1:-1:2]  # type: ignore[attr-defined]
            assert corners[:, 1].sum() == pytest.approx(1)
        assert len(axes.patches) == 3


def test_a_cell_of_the_grid_is_read_where_the_grid_ends(tmp_path: Path) -> None:
    fill_grids(tmp_path)
    axes = panels(tmp_path, "6")[1]
    (mesh,) = (x for x in axes.collections if isinstance(x, QuadMesh))
    cells = read_sweep("norm_growth/language_rate_decay_paper").runs([])
    by_place = sorted(cells, key=lambda x: (x.config.lr, x.config.optim.weight_decay))
    expected = [growth(cell.config) for cell in by_place]
    np.testing.assert_allclose(np.ravel(np.asarray(mesh.get_array())), expected, atol=1e-6)


@pytest.mark.parametrize("name", FIGURES)
def test_an_empty_store_lacks_what_a_command_makes(name: str, tmp_path: Path) -> None:
    source = Source(tmp_path)
    FIGURES[name].draw(Figure(), source)
    assert source.missing
    for _, made_by in source.missing:
        program, group, verb, sweep, *flags = made_by.split()
        assert (program, group, verb) == ("grok", "sweep", "run")
        assert read_sweep(sweep).runs(flags)


def test_exit_codes_tell_a_whole_figure_from_one_that_lacks_something(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = f"--output={tmp_path / 'a.png'}"
    whole = command(capsys, "figure", "norm-growth", "3", f"--runs_dir={store}", output)
    assert (whole.code, whole.err) == (0, "")
    empty = command(capsys, "figure", "norm-growth", "3", f"--runs_dir={tmp_path}", output)
    assert empty.code == 1
    assert "grok sweep run norm_growth/language_placements --model.norm=post_ln" in empty.err


def test_a_figure_has_the_same_bytes_twice(store: Path) -> None:
    first, second = (draw_figure(FIGURES["2"], Source(store), FORMATS) for _ in range(2))
    assert first == second


def test_published_values_are_those_that_were_read_off() -> None:
    """Dossier of the paper: sections 1.4, 2.5, 3.4 and 5."""
    assert max(published.T5_ALIGNMENT["encoder+decoder"]) == 0.179
    assert published.SATURATION["T5"][-1] == 0.915
    assert published.SATURATION["RoBERTa"][-2:] == (0.940, 0.652)
    assert published.HEADS["post_ln"] == {1.0: 64, 41.128: 70}
    assert len(published.SCALES) == len(published.COSINES["post_ln"]) == 20
    assert published.COSINES["sublayer_ln"][0] == 0.727
    assert published.COSINES_BIAS["post_ln"][-1] == 0.975
