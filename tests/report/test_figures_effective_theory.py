"""Figures of Liu et al. 2022 from made-up runs: what they draw, lack and show as published."""

import io
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from grok.checkpoints import checkpoint_path
from grok.claims.effective_theory.phase_counts import COUNTS
from grok.claims.effective_theory.published import published_table
from grok.config import RunConfig, parse_run, run_key
from grok.metrics.learning_phases import Phase
from grok.models.toy import ToyNetwork, toy_parameters
from grok.report.figures import figures_of
from grok.report.figures.base import Missing, Source
from grok.report.figures.draw import draw_figure
from grok.report.figures.effective_theory import published
from grok.report.palette import FORMATS
from grok.runs import Run
from grok.sweep import read_sweep
from tests.claims.published_theory import SIZES
from tests.report.embedding_store import (
    FLIPPED,
    ROWS,
    Parsed,
    Readings,
    cells,
    circle,
    fill_rates,
    fill_sizes,
    keep,
    passing,
    size_readings,
    write,
    write_sweep,
)
from tests.running import command
from tests.theory.test_critical import PUBLISHED as DETERMINED

FIGURES = figures_of("effective-theory")
THEORY = ("4a", "4c", "5a")
Drawn = Callable[[str], tuple[Figure, list[Missing]]]
EMPTY = {"1": 3, "2": 3, "7b": 1, "7c": 1, "8b": 1, "4d": 1, "12": 1, "18": 5}
EMPTY |= dict.fromkeys(("6a", "6b", "6c", "6d", "7a", "8a", "13", "14", "15", "17", "20"), 2)
"""Panels that say `not run` over an empty store; others show what was published."""
PER_PAIR = [(n, seed) for n in SIZES for seed in range(3)]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of figures 3, 4b, 5b and 10."""
    root = tmp_path_factory.mktemp("sizes")
    fill_sizes(root)
    return root


@pytest.fixture(scope="module", autouse=True)
def parsed_once() -> Iterator[None]:
    """Sweeps of hundreds of cells are expanded once."""
    with patch("grok.report.figures.base.read_sweep", Parsed):
        yield


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """A figure of an empty store, written to a file, and what it lacks."""
    root = tmp_path_factory.mktemp("empty")

    @cache
    def of(name: str) -> tuple[Figure, list[Missing]]:
        source, canvas = Source(root), Figure(FIGURES[name].size, layout="constrained")
        FigureCanvasAgg(canvas)
        FIGURES[name].draw(canvas, source)
        canvas.savefig(io.BytesIO())
        return canvas, source.missing

    return of


def drawn(name: str, root: Path, *seeds: int, lacks: bool = False) -> list[Axes]:
    """The panels of a figure, which lacks nothing unless it says so."""
    source, canvas = Source(root, seeds), Figure(FIGURES[name].size)
    FigureCanvasAgg(canvas)
    FIGURES[name].draw(canvas, source)
    assert bool(source.missing) == lacks, source.missing
    return canvas.axes


def line(axes: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    """The only line with that label."""
    (found,) = (x for x in axes.lines if x.get_label() == label)
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


def pairs(axes: Axes, label: str) -> list[tuple[float, float]]:
    """Its points, sorted."""
    return sorted(zip(*(x.tolist() for x in line(axes, label)), strict=True))


def letters(axes: Axes) -> list[str]:
    """What stands in the cells of a map, row by row."""
    found = {
        (round(x), round(y)): text.get_text()
        for text in axes.texts
        for x, y in [text.get_position()]
    }
    columns, rows = (max(each) + 1 for each in zip(*found, strict=True))
    return ["".join(found[x, y] or "." for x in range(columns)) for y in range(rows)]


def printed(table: str) -> list[str]:
    """The letters of a published map as the paper has them."""
    phases = published_table(table).phases
    assert phases is not None
    return ["".join(Phase(int(x)).letter for x in row) for row in phases]


def test_the_figures_of_the_paper_are_in_its_order() -> None:
    main = ["1", "2", "3", "4a", "4b", "4c", "4d", "5a", "5b", "6a", "6b", "6c", "6d"]
    main += ["7a", "7b", "7c", "8a", "8b"]
    assert list(FIGURES) == [*main, "10", "12", "13", "14", "15", "17", "18", "20"]


# Sizes of the training set


def test_figure_3_has_both_accuracies_of_every_run(sizes: Path) -> None:
    read = {(n, s): size_readings(n, s)[5000] for n, s in PER_PAIR}
    ours = [(n / 55, x["repr/acc"], x["repr/predicted_acc"]) for (n, _), x in read.items()]
    theirs = [(x.n / 55, x.right / 55, x.predicted / 55) for x in published.SIZE_RUNS]
    for axes, (i, j) in zip(drawn("3", sizes), ((0, 1), (0, 2), (2, 1)), strict=True):
        for label, found in (("stored runs", ours), ("published", theirs)):
            np.testing.assert_allclose(pairs(axes, label), sorted((x[i], x[j]) for x in found))


def test_figure_4b_has_the_steps_and_at_its_top_the_runs_that_never_get_there(sizes: Path) -> None:
    (axes,) = drawn("4b", sizes)
    came = [(n / 55, t) for n, s in PER_PAIR if (t := SIZES[n][s][2]) is not None]
    never = [n / 55 for n, s in PER_PAIR if SIZES[n][s][2] is None]
    assert pairs(axes, "published") == sorted(came)
    assert pairs(axes, "stored runs") == sorted((r, t + 100) for r, t in came)
    assert line(axes, "stored runs, never")[0].tolist() == never
    assert line(axes, "published, never")[0].tolist() == never


def test_figure_5b_has_the_time_of_each_training_set(sizes: Path) -> None:
    """Eigenvalues are published to two decimals."""
    (axes,) = drawn("5b", sizes)
    known = {
        (x.n, x.seed): 10 / (2 * x.eigenvalue * 1e-3) for x in published.SIZE_RUNS if x.eigenvalue
    }
    steps = {place: SIZES[place[0]][place[1]][2] for place in known}
    came = [(known[place], step) for place, step in steps.items() if step is not None]
    np.testing.assert_allclose(pairs(axes, "published"), sorted(came))
    ours = sorted((step, t) for t, step in pairs(axes, "stored runs"))
    np.testing.assert_allclose(ours, sorted((step + 100, t) for t, step in came), rtol=0.02)
    times, tripled = line(axes, "3 / (λ₃ η)")
    np.testing.assert_allclose(tripled, 3 * times)


def test_figure_10_has_what_each_training_set_allows_for(sizes: Path) -> None:
    """Ideal RQI of seed 0 by size as published, two decimals."""
    quality, accuracy = drawn("10", sizes)
    published_rqi = [0.01, 0.04, 0.17, 0.24, *[1.0] * 7]
    ideal = np.array([x for x, _ in pairs(quality, "stored runs")])
    assert all(np.abs(ideal - x).min() < 0.005 for x in published_rqi)
    assert {y for _, y in pairs(quality, "stored runs")} == {0.4, 0.96}
    ours = [(x.ideal / 55, 0.9 * x.predicted / 55) for x in published.SIZE_RUNS]
    np.testing.assert_allclose(pairs(accuracy, "stored runs"), sorted(ours))
    theirs = [(x.ideal / 55, x.predicted / 55) for x in published.SIZE_RUNS]
    np.testing.assert_allclose(pairs(accuracy, "published"), sorted(theirs))


def test_figure_18_has_the_best_seed_the_steps_and_the_accuracies(tmp_path: Path) -> None:
    def readings(config: RunConfig) -> Readings:
        share, seed = config.toy.n_train / 36, config.model.init_seed
        formed = {"repr/rqi": 0.96, "repr/acc": 1.0, "repr/predicted_acc": 0.9}
        late = {"repr/rqi": share - 0.1 * seed, "repr/acc": share, "repr/predicted_acc": share / 2}
        return {0: dict.fromkeys(late, 0.0), 5000: late} | ({1000: formed} if share > 0.7 else {})

    write_sweep(tmp_path, "permutation_size", readings, "--seeds=0,1")
    best, steps, accuracy, predicted, both = drawn("18", tmp_path, 0, 1)[:5]
    shares = [n / 36 for n in (4, 20, 35)]
    np.testing.assert_allclose(best.lines[0].get_xydata(), [(r, r) for r in shares])  # type: ignore
    assert pairs(steps, "stored runs") == [(r, 1000) for r in shares if r > 0.7 for _ in range(2)]
    assert set(line(steps, "stored runs, never")[0]) == {r for r in shares if r <= 0.7}
    twice = [r for r in shares for _ in range(2)]
    np.testing.assert_allclose(pairs(accuracy, "stored runs"), [(r, r) for r in twice])
    np.testing.assert_allclose(pairs(predicted, "stored runs"), [(r, r / 2) for r in twice])
    np.testing.assert_allclose(pairs(both, "stored runs"), [(r / 2, r) for r in twice])


# Theory


def test_figure_4a_agrees_with_the_published_shares(tmp_path: Path) -> None:
    """Within four standard errors of 2,000 draws."""
    (axes,) = drawn("4a", tmp_path)
    curve = line(axes, "theory, 1/2 at r = 0.41")
    theirs = pairs(axes, "published, 1/2 at r = 0.41")
    assert len(theirs) == 20
    for share, p in theirs:
        assert abs(np.interp(share, *curve) - p) <= 4 * np.sqrt(p * (1 - p) / 2000) + 2e-3


def test_figure_4c_goes_through_the_published_curves(tmp_path: Path) -> None:
    (axes,) = drawn("4c", tmp_path)
    curves = [dict(pairs(axes, str(symbol))) for symbol in range(10)]
    marks = [x for x in axes.lines if x.get_marker() == "D"]
    assert [set(x.get_xdata()) for x in marks] == [{500}, {1000}, {2000}]  # type: ignore[arg-type]
    for mark, step in zip(marks, (500, 1000, 2000), strict=True):
        np.testing.assert_allclose([x[step] for x in curves], mark.get_ydata(), atol=5e-4)  # type: ignore


def test_figure_5a_has_the_means_of_random_splits(tmp_path: Path) -> None:
    """Means of the third eigenvalue of A^T A as recomputed from the formulas, at 20 to 55 pairs."""
    eigenvalue = {30: 2.39, 35: 4.97, 40: 8.58, 45: 13.5, 50: 20.1, 55: 30.0}
    mean = {30: 0.0226, 35: 0.0350, 40: 0.0464, 45: 0.0578, 50: 0.0697, 55: 0.0857}
    expected = ({n: 2 * x / 10 for n, x in eigenvalue.items()}, mean)
    for axes, values in zip(drawn("5a", tmp_path), expected, strict=True):
        found = {round(55 * r): x for r, x in pairs(axes, "mean")}
        assert {n: found[n] for n in values} == pytest.approx(values, rel=0.06)
        median = {round(55 * r): x for r, x in pairs(axes, "median")}
        assert median[15] == 0


# Phases


@pytest.mark.parametrize("name", ["6a", "6b", "6c", "6d"])
def test_the_published_map_of_figure_6_is_that_of_the_paper(name: str, empty: Drawn) -> None:
    table = f"fig{name}"
    canvas, missing = empty(name)
    found = letters(canvas.axes[0])
    assert found == printed(table)
    assert tuple("".join(found).count(x) for x in "CGMX") == COUNTS[table][:4]
    rows, columns = (
        x for x in read_sweep(missing[0].command.split()[3]).axes.values() if len(x) > 1
    )
    theirs = published_table(table)
    np.testing.assert_allclose(rows, theirs.rows, rtol=5e-3)
    np.testing.assert_allclose(columns, theirs.columns, rtol=5e-3)


def test_figure_6a_compares_what_is_stored_with_the_published_map(tmp_path: Path) -> None:
    fill_rates(tmp_path)
    left, middle, right = drawn("6a", tmp_path, lacks=True)
    cells = {(i, j): x for i, row in enumerate(printed("fig6a")) for j, x in enumerate(row)}
    ours = {at: FLIPPED.get(at, x) if at[0] in ROWS else "." for at, x in cells.items()}
    marks = {at: "=" if at[0] in ROWS else "." for at in cells}
    marks |= {(0, 0): "x", (6, 3): "~", (12, 11): "~"}
    for axes, expected in ((middle, ours), (right, marks)):
        assert letters(axes) == ["".join(expected[i, j] for j in range(13)) for i in range(13)]
    assert right.get_title() == f"same {36 / 39:.0%}, within a cell {38 / 39:.0%}"
    assert left.get_title() == "published"


@pytest.mark.parametrize(
    ("name", "sweep", "row", "column", "percent"),
    [
        ("7c", "encoder_phases", 3, 0, 99.9),
        ("8b", "mnist_phases", 4, 3, 60),
        ("13", "addition_batches", 0, 2, 90),
        ("14", "addition_scales", 1, 2, 90),
        ("15", "addition_embed_decay", 1, 0, 90),
    ],
)
def test_a_cell_of_a_map_is_where_its_values_are(
    name: str, sweep: str, row: int, column: int, percent: float, tmp_path: Path
) -> None:
    """Of all cells one groks and the others are not stored. Its accuracy is the least that counts.

    Rows are decay, batch size or scale. Figures 13 to 15 have a panel for each loss, the second of
    which has the cell.
    """
    flags = ("--optim.loss=cross_entropy",) if name in ("13", "14", "15") else ()
    configs = [x.config for x in cells(f"effective_theory/{sweep}", *flags)]
    values = [(_row_value(x, name), x.optim.unembed_lr or x.lr) for x in configs]
    rows, columns = (sorted(set(each)) for each in zip(*values, strict=True))
    config = configs[values.index((rows[row], columns[column]))]
    write(tmp_path, config, passing(config.n_steps, 100, 5000, top=percent / 100))
    expected = ["." * len(columns)] * len(rows)
    expected[row] = "." * column + "G" + "." * (len(columns) - column - 1)
    panels = drawn(name, tmp_path, lacks=True)
    assert letters(panels[-1]) == expected
    if flags:
        assert [x.get_text() for x in panels[0].texts] == ["not run"]


def _row_value(config: RunConfig, name: str) -> float:
    toy, optim = config.toy, config.optim
    rows = {"13": toy.batch_size, "14": toy.embed_scale, "15": optim.embed_weight_decay}
    return float(rows.get(name, optim.weight_decay) or 0)


def test_the_map_of_the_replication_has_its_counts(empty: Drawn) -> None:
    """35, 50, 12 and 3 cells at 100,000 steps, as Shabalin et al. count them."""
    found = "".join(letters(empty("8b")[0].axes[0]))
    assert tuple(found.count(x) for x in "CGMX") == (35, 50, 12, 3)


# Curves


def test_figure_7a_has_the_mean_of_the_seeds(tmp_path: Path) -> None:
    steps = (0, 2000, 20_000)

    def readings(config: RunConfig) -> Readings:
        seed = config.model.init_seed
        keys = {"repr/effective_dim": 40.0, "acc/train": 0.5, "acc/test": 0.2}
        return {t: {key: x + seed / 10 + t / 1e5 for key, x in keys.items()} for t in steps}

    write_sweep(tmp_path, "encoder_dimension", readings, "--seeds=1,2")
    top, bottom = drawn("7a", tmp_path, 1, 2)
    for axes, label, x in (
        (top, "mean of the seeds", 40.0),
        (bottom, "training", 0.5),
        (bottom, "test", 0.2),
    ):
        np.testing.assert_allclose(pairs(axes, label), [(t, x + 0.15 + t / 1e5) for t in steps])


def test_figure_7b_has_medians_and_the_run_that_never_generalises(tmp_path: Path) -> None:
    def readings(config: RunConfig) -> Readings:
        late = round(4000 * (1 - config.toy.dropout)) + 100 * config.model.init_seed
        is_never = config.toy.dropout == 0 and config.model.init_seed == 1
        return passing(config.n_steps, 200, None if is_never else late)

    configs = write_sweep(tmp_path, "encoder_dropout", readings)
    (axes,) = drawn("7b", tmp_path)
    rates = sorted({x.toy.dropout for x in configs})
    assert pairs(axes, "training") == [(x, 200) for x in rates]
    # Without dropout 4,200, 4,300 and never.
    medians = [4300, *(round(4000 * (1 - x)) + 200 for x in rates[1:])]
    assert pairs(axes, "test") == list(zip(rates, medians, strict=True))
    assert line(axes, "never")[0].tolist() == [0]


def test_figure_8a_has_the_mean_and_the_steps_of_the_replication(tmp_path: Path) -> None:
    def readings(config: RunConfig) -> Readings:
        x = config.optim.weight_decay / 10 + config.model.init_seed / 100
        return {t: {"acc/train": 0.8 + x, "acc/test": 0.5 + x} for t in (1, 100_000)}

    write_sweep(tmp_path, "mnist_decay", readings, "--seeds=0,2")
    panels = drawn("8a", tmp_path, 0, 2)
    known = {0.001: (1000, 67_640), 0.1: (965, 9930)}  # Shabalin et al., last layer at 4.6e-4
    for axes, first, column in zip(panels, (0.8, 0.5), (0, 1), strict=True):
        for decay in (0, 1e-4, 1e-3, 1e-2, 0.1, 1):
            _, y = line(axes, f"decay {decay:g}")
            np.testing.assert_allclose(y, first + decay / 10 + 0.01)
        for decay, steps in known.items():
            assert pairs(axes, f"replication, {decay:g}") == [(steps[column], 0.6)]
        assert sum(str(x.get_label()).startswith("replication") for x in axes.lines) == 2


def test_figure_20_has_a_line_for_each_decay(tmp_path: Path) -> None:
    def late(n: int, decay: float) -> int:
        return round(50_000 * (1 - decay) / n) + 1000

    def readings(config: RunConfig) -> Readings:
        n, decay = config.images.n_train, config.optim.weight_decay
        return passing(config.n_steps, n, late(n, decay))

    configs = write_sweep(tmp_path, "mnist_size", readings, "--seeds=0")
    train, test = drawn("20", tmp_path, 0)
    sizes = sorted({x.images.n_train for x in configs})
    decays = sorted({x.optim.weight_decay for x in configs})
    assert (len(sizes), len(decays)) == (3, 3)
    for decay in decays:
        assert pairs(train, f"decay {decay:.2g}") == [(n, n) for n in sizes]
        assert pairs(test, f"decay {decay:.2g}") == [(n, late(n, decay)) for n in sizes]


def test_figure_12_counts_the_seeds_by_closed_parallelograms(tmp_path: Path) -> None:
    closed = {(0.001, 0.001): 1, (0.001, 0.01): 0, (0.01, 0.001): 3, (0.01, 0.01): 2}

    def readings(config: RunConfig) -> Readings:
        k = closed[config.optim.embed_lr, config.lr] if config.model.init_seed else 0
        return {0: {"repr/rqi": 1.0}, 5000: {"repr/rqi": k / 3}}

    write_sweep(tmp_path, "addition_four_rates", readings)
    (axes,) = drawn("12", tmp_path)
    heights: dict[int, list[float]] = {}
    for bar in axes.patches:
        heights.setdefault(round(bar.get_x() + 0.35), []).append(bar.get_height())  # type: ignore
    assert heights == {0: [1, 2, 0, 0], 1: [3, 0, 0, 0], 2: [1, 0, 0, 2], 3: [1, 0, 2, 0]}
    names = [x.get_text() for x in axes.get_xticklabels()]
    assert names[2] == "emb. 0.01\ndec. 0.001"


# Networks


def encoder(root: Path, **status: Any) -> Run:
    """The transformer of figure 1, without a checkpoint."""
    config = cells("effective_theory/encoder_dimension", "--seeds=1")[0].config
    accuracy = {0: 0.02, 1000: 0.04, 20_000: 1.0}
    return write(root, config, {t: {"acc/test": x} for t, x in accuracy.items()}, **status)


def test_figure_1_has_the_circle_in_its_principal_components(tmp_path: Path) -> None:
    run = encoder(tmp_path)
    for step, stride in ((0, 1), (1000, 3), (20_000, 7)):
        keep(run, step, W_E=(1 + step) * circle(59, 256, stride) + 5)
    words = ("at first, step 0\ntest accuracy 0.02", "overfit, step 1,000\ntest accuracy 0.04")
    titles = (*words, "at the end, step 20,000\ntest accuracy 1.00")
    for axes, stride, title in zip(drawn("1", tmp_path), (1, 3, 7), titles, strict=True):
        # A row of 256 standardised numbers has the norm 16.
        places = np.asarray(axes.lines[0].get_xydata())
        turn = 256 * np.cos(2 * np.pi * stride / 59)
        np.testing.assert_allclose((places**2).sum(axis=1), 256)
        np.testing.assert_allclose((places[1:] * places[:-1]).sum(axis=1), turn, rtol=1e-6)
        texts = [(x.get_text(), *x.get_position()) for x in axes.texts]  # type: ignore[misc]
        assert [x for x, *_ in texts] == [str(k) for k in range(59)]
        assert (axes.get_title(), axes.get_xlabel()) == (title, "PC 1 (50%)")


def plane(root: Path, seed: int = 3, **status: Any) -> tuple[Run, dict[str, torch.Tensor]]:
    """The memorizing run of figure 2 with the parameters of its first step as those of its last."""
    config = parse_run("effective_theory/plane_addition_memorized", [])
    network = ToyNetwork(config.toy, config.toy.outputs(config.optim.loss))
    parameters = toy_parameters(network, seed)
    run = write(root, config, {0: {"acc/test": 0.5}, 400: {"acc/test": 0.12}}, **status)
    keep(run, config.n_steps, **parameters)
    return run, parameters


def test_figure_2_has_what_the_decoder_makes_of_every_point(tmp_path: Path) -> None:
    _, w = plane(tmp_path)
    with patch("grok.report.figures.effective_theory.planes._RESOLUTION", 40):
        axes = drawn("2", tmp_path, lacks=True)[1]
    (mesh,) = (x for x in axes.collections if isinstance(x, QuadMesh))
    corners = np.asarray(mesh.get_coordinates())
    middles = (corners[1:, 1:] + corners[:-1, :-1]) / 2
    x = torch.from_numpy(middles.reshape(-1, 2))
    for layer in range(7):
        x = (x @ w[f"W_{layer}"].T + w[f"b_{layer}"]).relu()
    expected = (x @ w["W_U"].T + w["b_U"]).argmax(dim=-1)
    np.testing.assert_array_equal(np.ravel(mesh.get_array()), expected)  # type: ignore[arg-type]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), w["W_E"])  # type: ignore[arg-type]
    assert axes.get_title() == "addition, memorized\ntest accuracy 0.12, published 0.06"


def line_run(root: Path, **status: Any) -> Run:
    """The run of figure 4d, without a checkpoint."""
    flags = ("--optim.embed_lr=0.001", "--optim.lr=0.0001", "--stop.when=never", "--n_steps=4000")
    (cell,) = cells("effective_theory/addition_regression_rates", *flags, "--seeds=9")
    return write(root, cell.config, {0: {"acc/test": 0.0}}, **status)


def test_figure_4d_has_the_standardised_embedding_of_every_checkpoint(tmp_path: Path) -> None:
    run = line_run(tmp_path)
    embeddings = {
        t: torch.arange(10.0)[:, None] ** power for t, power in ((0, 3), (2000, 2), (4000, 1))
    }
    for step, W_E in embeddings.items():
        keep(run, step, W_E=W_E)
    (axes,) = drawn("4d", tmp_path)
    for symbol in range(10):
        expected = [float((x[symbol, 0] - x.mean()) / x.std()) for x in embeddings.values()]
        steps, curve = line(axes, str(symbol))
        assert steps.tolist() == [0, 2000, 4000]
        np.testing.assert_allclose(curve, expected, rtol=1e-6)
    assert [x.get_text() for x in axes.texts] == [str(k) for k in range(10)]


def groups(root: Path) -> list[Run]:
    """The runs of figure 17 with seeds 0 and 1 of which 1 has the better RQI."""
    found = cells("effective_theory/permutation_size", "--toy.n_train=24", "--seeds=0,1")
    quality = (0.5, 0.9)
    return [
        write(root, cell.config, {5000: {"repr/rqi": rqi}})
        for cell, rqi in zip(found, quality, strict=True)
    ]


def test_figure_17_has_the_components_of_the_best_seed(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.cat([torch.ones(6, 1), torch.randn(6, 3, generator=generator)], dim=1).double()
    axis = torch.linalg.qr(rows).Q[:, 1:] * torch.tensor([3.0, 2.0, 1.0])
    for scale, run in enumerate(groups(tmp_path)):
        keep(run, 5000, W_E=torch.cat([scale * axis, torch.zeros(6, 6)], dim=1) + 1)
    panels = drawn("17", tmp_path, 0, 1)
    for axes, other in zip(panels, (1, 2), strict=True):
        places = np.abs(axes.lines[0].get_xydata())  # type: ignore[arg-type]
        np.testing.assert_allclose(places, axis[:, [0, other]].abs(), atol=1e-12)
        names = ["012", "021", "102", "120", "201", "210"]
        assert [x.get_text() for x in axes.texts] == names
    assert panels[1].get_ylabel() == f"PC 3 ({1 / 14:.0%})"
    assert panels[0].figure.get_suptitle() == "seed 1, RQI 0.90"  # type: ignore[union-attr]


# What is missing


@pytest.mark.parametrize("name", [x for x in FIGURES if x not in THEORY])
def test_an_empty_store_is_told_what_to_run(name: str, empty: Drawn) -> None:
    canvas, missing = empty(name)
    assert missing
    for what, words in missing:
        program, verb, *rest = shlex.split(words)
        assert program == "grok"
        if verb == "train":
            config = parse_run(rest[0], rest[1:])
            assert f"a run of {config.n_steps:,} steps" in what
        else:
            found = cells(rest[1], *rest[2:])
            assert f"{len(found)} of {len(found)} runs of " in what
    said = [text.get_text() for axes in canvas.axes for text in axes.texts]
    assert said.count("not run") == EMPTY.get(name, 0)


def test_an_empty_store_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("effective_theory", "12", f"--output={tmp_path / 'f.svg'}")
    outcome = command(capsys, "figure", *arguments, f"--runs_dir={tmp_path}")
    assert outcome.code == 1
    assert outcome.err.endswith("; grok sweep run effective_theory/addition_four_rates\n")


def test_exit_code_0_says_that_all_is_drawn(
    sizes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "figure.pdf"
    arguments = ("effective-theory", "3", f"--output={path}", f"--runs_dir={sizes}")
    outcome = command(capsys, "figure", *arguments)
    assert (outcome.code, outcome.err, path.exists()) == (0, "", True)


@pytest.mark.parametrize(("name", "store"), [("1", encoder), ("4d", line_run)])
def test_a_whole_run_without_its_checkpoints_is_trained_anew(
    name: str, store: Callable[..., Run], tmp_path: Path
) -> None:
    run, source = store(tmp_path), Source(tmp_path)
    FIGURES[name].draw(Figure(), source)
    assert len(source.missing) == {"1": 3, "4d": 1}[name]
    for what, words in source.missing:
        remove, again = words.split("; ")
        _, _, _, sweep, *flags = again.split()
        (cell,) = cells(sweep, *flags)
        assert "checkpoint" in what
        assert remove == f"grok rm {run.key}"
        assert (run_key(cell.config), cell.config.checkpoint.every > 0) == (run.key, True)


@pytest.mark.parametrize(("name", "store"), [("1", encoder), ("4d", line_run)])
def test_a_run_that_goes_on_is_not_to_be_removed(
    name: str, store: Callable[..., Run], tmp_path: Path
) -> None:
    run, source = store(tmp_path, status="interrupted", step=500), Source(tmp_path)
    keep(run, 0, W_E=circle(59, 256, 1)[:, :1] if name == "4d" else circle(59, 256, 1))
    FIGURES[name].draw(Figure(), source)
    ((what, words),) = source.missing
    assert "1 of 1 runs of" in what
    assert words.startswith("grok sweep run")


def test_runs_of_figure_17_without_a_checkpoint_are_named(tmp_path: Path) -> None:
    first, second = groups(tmp_path)
    keep(first, 5000, W_E=torch.eye(6, 9))
    source, canvas = Source(tmp_path, (0, 1)), Figure()
    FIGURES["17"].draw(canvas, source)
    ((what, words),) = source.missing
    assert what == "checkpoints of 1 of 2 runs"
    assert words.startswith(f"grok rm {second.key}; grok sweep run effective_theory/permutation_s")
    assert canvas.get_suptitle() == "seed 0, RQI 0.50"


@pytest.mark.parametrize(
    ("status", "words"),
    [({"status": "interrupted", "step": 300}, ""), ({}, " --retrain")],
)
def test_a_plane_without_its_last_checkpoint_is_named(
    status: dict[str, Any], words: str, tmp_path: Path
) -> None:
    run = plane(tmp_path, **status)[0]
    checkpoint_path(run, 401).unlink()
    source = Source(tmp_path)
    FIGURES["2"].draw(Figure(), source)
    commands = [x.command for x in source.missing if "plane_addition_memorized" in x.what]
    assert commands == [f"grok train effective_theory/plane_addition_memorized{words}"]


def test_a_run_that_another_sweep_stopped_early_is_missing(tmp_path: Path) -> None:
    """It is a cell of a diagram, which ends it at accuracy 0.9, and has 24 pairs of S3."""
    diagram = ("effective_theory/permutation_decay", "--optim.weight_decay=0", "--optim.lr=0.0001")
    size = ("effective_theory/permutation_size", "--toy.n_train=24", "--seeds=0")
    (one,), (other,) = cells(*diagram), cells(*size)
    assert run_key(one.config) == run_key(other.config)
    write(tmp_path, one.config, passing(950, 300, 950), step=950)
    source = Source(tmp_path)
    for sweep, *flags in (diagram, size):
        source.cells(sweep, flags)
    assert [x.what for x in source.missing] == ["1 of 1 runs of effective_theory/permutation_size"]


# Files, and what was published


def test_a_figure_is_the_same_bytes_twice(sizes: Path) -> None:
    first, again = (draw_figure(FIGURES["3"], Source(sizes), FORMATS) for _ in range(2))
    assert first == again
    assert list(first) == [".png", ".svg", ".pdf"]


def test_published_values_are_those_of_their_sources() -> None:
    """The authors' repository (figures 3, 4a and 4b), the text, and Shabalin et al."""
    runs = {(x.n, x.seed): (x.predicted, x.right, x.step) for x in published.SIZE_RUNS}
    assert runs == {(n, seed): SIZES[n][seed] for n, seed in PER_PAIR}
    assert DETERMINED.items() <= published.N_DETERMINED.items()
    assert (published.CRITICAL, published.END_OF_FLOW) == (0.41, 1667)
    assert published.PLANE_ACCURACY["plane_modular_memorized"] == 0.077
    assert published.replicated_steps(0.464) == (820, 2355)
    assert published.replicated_steps(0.01) is None
