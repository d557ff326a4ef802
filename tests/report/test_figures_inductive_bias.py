"""The figures of the paper, of made-up runs: what they draw, lack and show as published."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from grok.report.figures import figures_of
from grok.report.figures.base import Source
from grok.report.figures.draw import draw_figure
from grok.report.figures.inductive_bias import published
from grok.report.palette import FORMATS
from grok.sweep import read_sweep
from tests.report.placement_store import STEPS, fill, readings
from tests.running import command

FIGURES = figures_of("inductive-bias")
SEEDS = (456, 789)
CURVES = {
    "2": ("loss/test", "fourier/c"),
    "3": ("shortcut/loss/legacy/train", "loss/test", "attn/entropy/0"),
    "7": ("loss/test",),
    "8": ("loss/test",),
    "9": ("compress/effective_rank/test", "compress/rank/test", "compress/alpha/test"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every run of the figures, of two seeds."""
    root = tmp_path_factory.mktemp("runs")
    fill(root, SEEDS)
    return root


def drawn(name: str, source: Source) -> Figure:
    """A figure before it is written."""
    canvas = Figure(figsize=(8, 6))
    FigureCanvasAgg(canvas)
    FIGURES[name].draw(canvas, source)
    return canvas


def mean(sweep: str, flag: str, key: str) -> np.ndarray:
    """Mean over the seeds of the stand-ins."""
    cells = read_sweep(f"inductive_bias/{sweep}").runs([*shlex.split(flag), "--seeds=456,789"])
    return np.mean([readings(cell.config)[key] for cell in cells], axis=0)


def test_figures_are_those_of_the_paper() -> None:
    assert list(FIGURES) == list("123456789")


@pytest.mark.slow
def test_full_store_lacks_nothing(store: Path, tmp_path: Path, capsys) -> None:
    for name in FIGURES:
        out = command(
            capsys, "figure", "inductive-bias", name, f"--runs_dir={store}",
            "--seeds=456,789", f"--output={tmp_path / 'f.png'}",
        )  # fmt: skip
        assert (out.code, out.err) == (0, ""), name


@pytest.mark.parametrize("name", CURVES)
def test_curves_are_the_mean_of_what_is_stored(store: Path, name: str) -> None:
    sweep = {"7": "rmsnorm", "8": "depth", "9": "weight_decay"}.get(name, "layernorm")
    flag = "--optim.weight_decay=1.5" if name == "9" else "--model.norm=M"
    label = "λ = 1.5" if name == "9" else "M"
    canvas = drawn(name, Source(store, SEEDS))
    for axes, key in zip(canvas.axes, CURVES[name], strict=False):
        (line,) = [line for line in axes.lines if line.get_label() == label]
        np.testing.assert_array_equal(line.get_xdata(), STEPS)
        np.testing.assert_allclose(np.asarray(line.get_ydata()), mean(sweep, flag, key))


def test_updates_of_figure_5_are_those_of_their_rule(store: Path) -> None:
    canvas = drawn("5", Source(store, SEEDS))
    for at, rule in ((2, "inverse_square_readout"), (3, "constant")):
        flag = f"--model.readout_scale=0.5 --optim.lr_rule={rule} --optim.hold=lambda"
        (line,) = [x for x in canvas.axes[at].lines if x.get_label() == "α = 0.5"]
        wanted = mean("readout_scale", flag, "norm/delta/all")
        np.testing.assert_allclose(np.asarray(line.get_ydata()), wanted)


def test_bars_are_the_onsets_of_the_mean_curve(store: Path) -> None:
    (axes,) = drawn("1", Source(store, SEEDS)).axes
    heights = [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)]
    for at, norm in enumerate(("none", "A*", "M+A*", "M")):
        for split, key in enumerate(("loss/train", "loss/test")):
            below = STEPS[mean("layernorm", f"--model.norm={norm}", key) <= 0.01]
            assert heights[2 * at + split] == (below[0] if below.size else 10_000)


def test_compression_time_is_within_a_tenth_of_the_minimum(store: Path) -> None:
    axes = drawn("6", Source(store, SEEDS)).axes[1]
    rank = mean("layernorm", "--model.norm=M", "compress/effective_rank/test")
    wanted = STEPS[(STEPS >= 200) & (rank <= 1.1 * rank[STEPS >= 200].min())][0]
    accuracy = mean("layernorm", "--model.norm=M", "acc/test")
    at = STEPS[accuracy >= 0.995][0]
    assert [[at, wanted]] in [np.asarray(line.get_xydata()).tolist() for line in axes.lines]


@pytest.mark.parametrize("name", FIGURES)
def test_empty_store_says_what_to_run(tmp_path: Path, name: str) -> None:
    source = Source(tmp_path)
    canvas = drawn(name, source)
    assert all([text.get_text() for text in axes.texts] == ["not run"] for axes in canvas.axes)
    assert source.missing
    for _, line in source.missing:
        grok, sweep, run, paper, *flags = shlex.split(line)
        assert (grok, sweep, run) == ("grok", "sweep", "run")
        assert len(read_sweep(paper).runs(flags)) == 5


def test_empty_store_is_exit_code_1(tmp_path: Path, capsys) -> None:
    out = command(
        capsys, "figure", "inductive-bias", "7", f"--runs_dir={tmp_path}",
        f"--output={tmp_path / 'f.svg'}",
    )  # fmt: skip
    assert out.code == 1
    assert "grok sweep run inductive_bias/rmsnorm" in out.err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["1", "6"])
def test_same_runs_give_the_same_bytes(store: Path, name: str) -> None:
    first, second = (draw_figure(FIGURES[name], Source(store, SEEDS), FORMATS) for _ in range(2))
    assert first == second


def test_published_points_are_drawn_at_their_values(store: Path) -> None:
    axes = drawn("2", Source(store, SEEDS)).axes[1]
    marks = [line for line in axes.lines if line.get_label() == "_published"]
    assert np.asarray(marks[0].get_ydata()).tolist() == [0.090, 0.186, 0.278, 0.459, 3.35]


def test_published_values() -> None:
    """Of the authors' exported curves, section by section."""
    assert published.TIMES["No LN"] == published.RATE_TIMES["1.0e-3"] == 7807
    assert published.DECAY_TIMES["1.0"] == published.CONSTANT_TIMES["1.0"] == 7807
    assert published.FOURIER_TIMES == {"No LN": 6200, "A*": 5400, "M+A*": 2600, "M": 1800}
    assert published.SHORTCUT["No LN"][4000] == 6.10
    assert published.ENTROPY["A^qk"][2000] == 0.621
    assert published.CONSTANT_LOSS["1.5"][5000] == 5.3
    assert published.EFFECTIVE_RANK["A*"][2000] == 55.8
    assert published.DECAY_RANK["0.5"][10_000] == 116.8
