"""Figures of Nanda et al. 2023 from an invented store: what is drawn, and what is missing."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from grok.checkpoints import checkpoint_path, checkpoint_steps
from grok.config import run_key
from grok.report.figures import figures_of
from grok.report.figures.base import Source
from grok.report.figures.draw import draw_figure
from grok.report.figures.progress_measures import published
from grok.report.palette import FORMATS, LINES, TEST, TRAIN
from grok.runs import Run, write_status
from grok.sweep import read_sweep
from tests.claims.published_progress import EXCLUDED, RESTRICTED
from tests.report.circuit_store import ENDS, KEYS, SINE, fill, store_network
from tests.running import command

FIGURES = figures_of("progress-measures")
P = 113
PHASE = 2 * math.pi / P * np.arange(P)

Drawn = Callable[[str], list[Axes]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seeds, all that the figures show."""
    root = tmp_path_factory.mktemp("runs")
    fill(root)
    return root


@pytest.fixture(scope="module")
def drawn(store: Path) -> Drawn:
    """The panels of a figure, which lacks nothing."""

    def of(name: str) -> list[Axes]:
        source, canvas = Source(store), Figure()
        FIGURES[name].draw(canvas, source)
        assert source.missing == []
        return canvas.axes

    return of


def read(store: Path, seed: int, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of a seed as far as figures 2 and 7 go."""
    cell = read_sweep("progress_measures/seeds").runs([f"--seeds={seed}"])[0]
    steps, values = Run(store / run_key(cell.config)).series(key)
    return steps[steps <= 20_000], values[steps <= 20_000]


def lines(axes: Axes, color: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Curves of a colour, those of the seeds first and their mean last."""
    found = [x for x in axes.lines if to_hex(x.get_color()) == color.lower()]
    found = [x for x in found if x.get_marker() == "None"]
    return [(np.asarray(x.get_xdata()), np.asarray(x.get_ydata())) for x in found]


def diamonds(axes: Axes) -> dict[float, float]:
    """Published points of the first curve that has some."""
    line = next(line for line in axes.lines if line.get_marker() == "D")
    return dict(zip(line.get_xdata(), line.get_ydata(), strict=True))  # type: ignore[arg-type]


def picture(axes: Axes) -> np.ndarray:
    """The matrix of a heat map."""
    (image,) = (x for x in axes.get_children() if isinstance(x, AxesImage))
    return np.asarray(image.get_array())


def bars(axes: Axes) -> dict[float, float]:
    """Heights of bars by the middle of each."""
    return {x.get_x() + x.get_width() / 2: x.get_height() for x in axes.patches}  # type: ignore


def test_the_figures_of_the_paper_are_in_its_order() -> None:
    assert list(FIGURES) == ["2", "3", "4", "5", "6", "7"]


def test_figure_2_has_every_seed_and_their_mean(store: Path, drawn: Drawn) -> None:
    panels = dict(zip(("acc", "loss"), drawn("2"), strict=True))
    for kind, axes in panels.items():
        for split, color in (("train", TRAIN), ("test", TEST)):
            *seeds, mean = lines(axes, color)
            expected = [read(store, seed, f"{kind}/{split}") for seed in range(5)]
            np.testing.assert_array_equal(seeds, expected)
            np.testing.assert_allclose(mean[1], np.mean([y for _, y in expected], axis=0))
    assert panels["loss"].get_yscale() == "log"
    assert diamonds(panels["acc"]) == published.TEST_ACC


def test_figure_3_has_the_norms_of_every_component(drawn: Drawn) -> None:
    """A wave of height 1 has the norm (p / 2)^½, and each key 128 neurons of mean square ½."""
    for axes, factor, sine in zip(drawn("3"), (1, math.sqrt(64)), (SINE, 1), strict=True):
        heights = {round(x, 2): y for x, y in bars(axes).items()}
        assert len(heights) == P
        unit = factor * math.sqrt(P / 2)
        high = {k - 0.22: unit for k in KEYS} | {k + 0.22: sine * unit for k in KEYS}
        found = {x: y for x, y in heights.items() if y > 0.01}
        assert found == pytest.approx({round(x, 2): y for x, y in high.items()}, rel=1e-5)


def test_figure_4_has_attention_a_neuron_and_the_logits(drawn: Drawn) -> None:
    attention, neuron, logits = drawn("4")[:3]
    waves = [np.exp(5 / math.sqrt(32) * np.cos(k * PHASE)) for k in KEYS]
    patterns = [w[:, None] / (w[:, None] + w[None] + 1) for w in waves]
    np.testing.assert_allclose(picture(attention), patterns[0], rtol=1e-4)
    wave = np.cos(KEYS[0] * PHASE)
    reaches = sum(x * wave[:, None] + x.T * wave[None] for x in patterns)
    np.testing.assert_allclose(picture(neuron), np.maximum(reaches, 0), atol=1e-4)
    norms = picture(logits)
    rows, columns = np.unravel_index(np.argsort(norms, axis=None)[-16:], norms.shape)
    blocks = {(2 * k - i, 2 * k - j) for k in KEYS for i in (0, 1) for j in (0, 1)}
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == blocks
    assert logits.get_title() == "Logits, keys 7, 19, 23, 50"
    ticks = zip(logits.get_xticks(), logits.get_xticklabels(), strict=True)
    assert next((at, x.get_text()) for at, x in ticks) == (19.5, "10")


def test_figure_5_has_neurons_of_one_frequency(drawn: Drawn) -> None:
    shares, weights = drawn("5")[:2]
    assert sum(bars(shares).values()) == 512
    words = "85 %: 512 of 512 are above it, published 433 of 512"
    assert shares.get_legend_handles_labels()[1] == [words]
    waves = picture(weights)
    phase = 2 * math.pi / 512 * np.arange(0, 512, len(KEYS))
    expected = math.sqrt(P / 2) * np.array([np.cos(2 * phase), np.sin(2 * phase)])
    np.testing.assert_allclose(waves[[13, 14]], expected, atol=1e-4)
    np.testing.assert_allclose(np.delete(waves, [13, 14], axis=0), 0, atol=1e-4)


def test_figure_6_has_the_loss_without_each_frequency(drawn: Drawn) -> None:
    prefixes = {"ablation/A4": "all", "progress/excluded_single": "train"}
    for axes, (prefix, split) in zip(drawn("6"), prefixes.items(), strict=True):
        heights = {k: y for x, y in bars(axes).items() if (k := round(x))}
        assert heights == {k: ENDS[f"{prefix}/{k}"] for k in range(1, 57)}
        hatched = {x.get_x() + x.get_width() / 2 for x in axes.patches if x.get_hatch()}  # type: ignore
        assert {round(x) for x in hatched} == set(KEYS)
        whole, restricted = (float(line.get_ydata()[0]) for line in axes.lines[:2])  # type: ignore
        assert restricted == ENDS[f"progress/restricted/sum/{split}"] < whole
    assert diamonds(drawn("6")[0]) == published.WITHOUT_NEURON_WAVES


def test_figure_7_has_the_measures_of_the_mainline_run(store: Path, drawn: Drawn) -> None:
    excluded, restricted, gini, squared = drawn("7")
    shown = [
        (excluded, LINES[2], EXCLUDED),
        (excluded, TRAIN, "loss/train"),
        (restricted, LINES[3], RESTRICTED),
        (restricted, TEST, "loss/test"),
        (gini, LINES[0], "progress/gini/W_E"),
        (gini, LINES[1], "progress/gini/W_L"),
        (squared, LINES[0], "norm/squared"),
    ]
    for axes, color, key in shown:
        seed, mean = lines(axes, color)
        np.testing.assert_array_equal([seed, mean], [read(store, 0, key)] * 2)
    for axes in (excluded, restricted, gini, squared):
        upright = [(np.asarray(x.get_xdata()), x.get_linestyle()) for x in axes.lines]
        ends = [(x[0], dash) for x, dash in upright if x.size == 2]
        ours = [(1300, "--"), (9400, "--"), (13_800, "--")]
        assert ends == [*ours, (1400, ":"), (9400, ":"), (14_000, ":")]


@pytest.mark.parametrize("name", ["2", "7"])
def test_other_seeds_are_drawn_if_asked_for(name: str, store: Path) -> None:
    source, canvas = Source(store, seeds=(1, 3)), Figure()
    FIGURES[name].draw(canvas, source)
    *seeds, _ = lines(canvas.axes[1], TEST)
    assert source.missing == []
    np.testing.assert_array_equal(seeds, [read(store, seed, "loss/test") for seed in (1, 3)])


def test_published_values_are_those_of_their_sources() -> None:
    assert published.SQUARED_EMBEDDING[52] == (17.2, 16.5)  # read off figure 3
    assert (published.N_OVER_85, published.N_NEURONS) == (433, 512)  # section 4.3
    assert published.WITHOUT_NEURON_WAVES[41] == 1.9e-3  # the author's notebook
    assert published.WITHOUT_LOGIT_WAVES[42] == 7.2e-2  # read off figure 15
    assert list(published.PHASES.values()) == [1_400, 9_400, 14_000]  # section 5.2
    at = {"TEST_LOSS": 6.8, "RESTRICTED": 5e-2, "EXCLUDED": 10.3, "SQUARED_NORM": 2110}
    assert {name: getattr(published, name)[9_000] for name in at} == at  # read off figure 7
    assert published.TEST_ACC[9_400] == 0.5  # read off figure 2


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_the_same_bytes_twice(name: str, store: Path) -> None:
    first, again = (draw_figure(FIGURES[name], Source(store), FORMATS) for _ in range(2))
    assert first == again
    assert list(first) == [".png", ".svg", ".pdf"]


@pytest.mark.parametrize("name", FIGURES)
def test_an_empty_store_is_told_what_to_run(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "figure.svg"
    outcome = command(
        capsys, "figure", "progress-measures", name, f"--output={path}", f"--runs_dir={tmp_path}"
    )
    assert outcome.code == 1
    (line,) = outcome.err.splitlines()
    what, _, words = line.partition("; grok sweep run ")
    sweep, *flags = words.split()
    n_runs, n_steps = (5 if name == "2" else 1), (20_000 if name in "27" else 40_000)
    assert f"{n_runs} of {n_runs} runs of {n_steps:,} steps" in what
    cells = read_sweep(sweep).runs(flags)
    assert [cell.config.model.init_seed for cell in cells] == list(range(n_runs))
    assert {cell.config.n_steps for cell in cells} == {n_steps}
    n_panels = {"3": 2, "4": 3, "7": 4}.get(name, 2)
    assert path.read_text(encoding="utf-8").count("<!-- not run -->") == n_panels


def test_a_network_before_the_end_is_drawn_and_said_to_be(tmp_path: Path) -> None:
    run = store_network(tmp_path, 20_000)
    write_status(run, status="interrupted", step=20_000, n_steps=40_000)
    source, canvas = Source(tmp_path), Figure()
    FIGURES["3"].draw(canvas, source)
    (missing,) = source.missing
    assert missing.what == "mod 113, 30 % of the pairs: 1 of 1 runs of 40,000 steps"
    assert canvas.axes[0].get_title() == "Embedding $W_E$, step 20,000"


@pytest.mark.parametrize("content", [None, b"no checkpoint"])
def test_a_run_without_its_network_is_named(content: bytes | None, tmp_path: Path) -> None:
    run = store_network(tmp_path, 40_000)
    path = checkpoint_path(run, checkpoint_steps(run)[0])
    path.unlink() if content is None else path.write_bytes(content)
    source, canvas = Source(tmp_path), Figure()
    FIGURES["4"].draw(canvas, source)
    (missing,) = source.missing
    assert missing.what.startswith("the network of seed 0: ")
    assert missing.command.startswith(f"grok rm {run.key}; grok sweep run progress_measures/seeds")
    assert [x.texts[0].get_text() for x in canvas.axes] == ["not run"] * 3


def test_a_family_that_was_not_read_is_named(tmp_path: Path) -> None:
    store_network(tmp_path, 40_000)
    source = Source(tmp_path)
    FIGURES["6"].draw(Figure(), source)
    lacking = ["ablation/A4 of seed 0", "progress/excluded_single of seed 0"]
    assert [x.what for x in source.missing] == lacking
