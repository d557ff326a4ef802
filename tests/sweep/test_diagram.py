"""Phase diagrams from stored runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from grok.config import RunConfig, run_key
from grok.data.toy import toy_data
from grok.measures import toy_split
from grok.metrics.parallelograms import ideal_validation_accuracy, nullity
from grok.metrics.phase_map import parse_map, text_map
from grok.metrics.samples import addition_samples
from grok.runs import Run
from grok.sweep import Criterion, Grid, SweepRun, cell_table, diagram_of, grid_of, read_sweep
from grok.sweep.diagram import map_of, phases_of
from grok.sweep.reached import data_columns, reached
from grok.theory.effective import spectrum
from tests.sweep.toy_cells import passing, stored, toy_sweep
from tests.toys import toy

AXES = {"toy.width": [8, 16], "optim.lr": [1e-3, 1e-2]}
SMALL: dict[str, Any] = {"p": 5, "n_train": 10, "width": 16, "n_steps": 400}


def small(seed: int = 0, **overrides: Any) -> RunConfig:
    """A run of 10 training and 5 test pairs."""
    return toy(seed, **(SMALL | overrides))


def two_by_two(folder: Path, seeds: Sequence[int] = (0,)) -> tuple[Grid, list[SweepRun]]:
    """A sweep over two widths, the rows, and two rates."""
    cells = read_sweep(toy_sweep(folder, AXES | {"seed": list(seeds)})).cells()
    return grid_of(cells), cells


def table_of(
    folder: Path, grid: Grid, cells: list[SweepRun], criterion: Criterion | None = None
) -> pl.DataFrame:
    runs = [Run(folder / run_key(cell.config)) for cell in cells]
    return cell_table(grid, cells, runs, criterion or Criterion())


# What one run has reached.


def test_first_steps_are_those_of_the_first_reading_that_is_high_enough(tmp_path: Path) -> None:
    train = {0: 0.1, 10: 0.9, 20: 0.2, 30: 1.0}
    test = {0: 0.0, 10: 0.8, 20: 0.8, 30: 1.0, 40: 0.6}
    run = stored(tmp_path, small(), {"acc/train": train, "acc/test": test})
    found = reached(run, small(), 90)
    assert (found["T_tr"], found["T_va"], found["T_rqi"]) == (10, 30, None)
    assert (found["acc/train"], found["acc/test"], found["repr/rqi"]) == (1.0, 0.6, None)
    assert (found["run"], found["status"], found["step"]) == (run.key, "completed", 400)
    assert reached(run, small(), 91)["T_tr"] == 30
    assert reached(run, small(), 80)["T_va"] == 10


def test_what_comes_after_the_budget_does_not_count(tmp_path: Path) -> None:
    accuracies = passing(20, 300) | {"repr/rqi": {0: 0.2, 250: 0.96, 400: 1.0}}
    run = stored(tmp_path, small(), accuracies)
    at_250 = reached(run, small(n_steps=250), 90)
    assert [at_250[name] for name in ("T_tr", "T_va", "T_rqi")] == [20, -1, 250]
    assert (at_250["budget"], at_250["step"]) == (250, 400)
    assert (at_250["acc/test"], at_250["repr/rqi"]) == (0.0, 0.96)
    assert reached(run, small(n_steps=249), 90)["T_rqi"] == -1
    assert reached(run, small(n_steps=300), 90)["T_va"] == 300


def test_accuracies_are_compared_by_counts_and_equality_counts(tmp_path: Path) -> None:
    nine_of_ten = float(np.float32(0.9))
    assert nine_of_ten < 0.9
    run = stored(tmp_path, small(), {"acc/train": {10: nine_of_ten, 20: float("nan")}})
    assert reached(run, small(), 90)["T_tr"] == 10
    assert reached(run, small(), 91)["T_tr"] == -1
    assert reached(run, small(), 90)["T_va"] == -1  # never read


def test_a_run_that_nobody_began_or_that_is_damaged_has_reached_nothing(tmp_path: Path) -> None:
    new = reached(Run(tmp_path / "nothing"), small(), 90)
    assert (new["status"], new["step"], new["T_tr"], new["T_va"]) == ("new", 0, -1, -1)
    assert new["acc/train"] is None
    run = stored(tmp_path, small(), passing(20, 300))
    (run.readings_dir / "part-000001.parquet").write_bytes(b"no parquet")
    found = reached(run, small(), 90)
    assert (found["status"], found["step"], found["T_tr"]) == ("damaged", 0, -1)


# The table.


def test_a_table_has_one_row_per_cell_in_the_order_of_the_grid(tmp_path: Path) -> None:
    grid, cells = two_by_two(tmp_path, (1, 0))
    for n, cell in enumerate(cells):
        stored(tmp_path, cell.config, passing(10 * n + 10, 10 * n + 20))
    table = table_of(tmp_path, grid, cells)
    head = ["toy.width", "optim.lr", "seed", "run", "status", "step", "budget", "T_tr", "T_va"]
    last = ["acc/train", "acc/test", "repr/rqi", "phase", "majority", "share"]
    data = ["nullity", "ideal_test_accuracy", "lambda_3"]
    assert table.columns == [*head, "T_rqi", *last, *data]
    assert table["toy.width"].to_list() == 4 * [8] + 4 * [16]
    assert table["optim.lr"].to_list() == 2 * [1e-3, 1e-3, 1e-2, 1e-2]
    assert table["seed"].to_list() == 4 * [0, 1]
    assert table["T_tr"].to_list() == [20, 10, 40, 30, 60, 50, 80, 70]
    types = [table.schema[name] for name in ("toy.width", "T_rqi", "repr/rqi", "nullity")]
    assert types == [pl.Float64, pl.Int64, pl.Float64, pl.Int64]
    assert set(table["phase"]) == {"comprehension"}


def test_the_phase_of_most_seeds_is_that_of_the_cell_and_a_tie_is_undecided(
    tmp_path: Path,
) -> None:
    grid, cells = two_by_two(tmp_path, (0, 1, 2, 3))
    slow, quick, never = passing(10, 300), passing(10, 20), passing(10, -1)
    by_cell = [
        [slow, slow, slow, quick],
        [slow, slow, quick, quick],
        [never, never, quick, None],
        [None, None, None, quick],
    ]
    for cell in cells:
        row, column, seed = grid.place(cell)
        readings = by_cell[2 * row + column][seed]
        if readings is not None:
            stored(tmp_path, cell.config, readings)
    criterion = Criterion(lag=100)
    table = table_of(tmp_path, grid, cells, criterion)
    letters = "G G G C  G G C C  M M C U  U U U C".replace(" ", "")
    assert "".join(name[0] for name in table["phase"]).upper() == letters
    assert table["majority"].gather_every(4).to_list() == [
        "grokking",
        "undecided",
        "memorization",
        "comprehension",
    ]
    found = diagram_of(grid, table, criterion)
    assert found.share.tolist() == [[0.75, 0.0], [0.5, 0.25]]
    assert table["share"].gather_every(4).to_list() == [0.75, 0.0, 0.5, 0.25]
    # The median over the seeds with both.
    delays = np.log10([[30, np.sqrt(60)], [2, 2]])
    np.testing.assert_allclose(found.delay, delays)


def phase(T_tr: int, T_va: int, status: str, step: int, **criterion: Any) -> str:
    frame = pl.DataFrame(
        {"T_tr": [T_tr], "T_va": [T_va], "status": [status], "step": [step], "budget": [400]}
    )
    budget = criterion.pop("cut", None)
    (code,) = phases_of(frame, Criterion(**criterion), budget)
    return "CGMXOU"[code]


def test_lag_and_ratio_decide_between_comprehension_and_grokking() -> None:
    assert phase(100, 200, "completed", 400, lag=100) == "G"
    assert phase(100, 200, "completed", 400, lag=101) == "C"
    assert phase(100, 200, "completed", 400, lag=1, ratio=2.0) == "G"
    assert phase(100, 200, "completed", 400, lag=1, ratio=2.01) == "C"


def test_a_diverged_run_is_spent_and_a_stopped_one_is_undecided() -> None:
    assert phase(100, -1, "completed", 400) == "M"
    assert phase(100, -1, "diverged", 150) == "M"
    assert phase(-1, -1, "diverged", 0) == "X"
    for status in ("completed", "interrupted", "running", "failed"):
        assert phase(100, -1, status, 399) == "U"
        assert phase(-1, 100, status, 399) == "U"
        assert phase(100, 200, status, 399, lag=10) == "G"
    assert phase(-1, -1, "new", 0) == "U"


def test_a_diagram_that_is_cut_forgets_what_came_later() -> None:
    assert phase(100, 200, "completed", 400, lag=10, cut=200) == "G"
    assert phase(100, 200, "completed", 400, lag=10, cut=199) == "M"
    assert phase(100, -1, "interrupted", 300, cut=300) == "M"
    assert phase(100, 200, "completed", 400, lag=10, cut=10**9) == "G"


def test_a_map_of_words_and_numbers_is_read_back(tmp_path: Path) -> None:
    axes = {"toy.act": ["tanh", "relu"], "optim.lr": [1e-3, 0.1 + 0.2]}
    cells = read_sweep(toy_sweep(tmp_path, axes)).cells()
    grid = grid_of(cells)
    stored(tmp_path, cells[1].config, passing(10, 20))
    table = table_of(tmp_path, grid, cells)
    assert table["toy.act"].to_list() == ["tanh", "tanh", "relu", "relu"]
    found = parse_map(text_map(map_of(diagram_of(grid, table, Criterion()))))
    assert (found.row_name, found.column_name) == ("toy.act (tanh, relu)", "optim.lr")
    assert (found.rows.tolist(), found.columns.tolist()) == ([0, 1], [1e-3, 0.1 + 0.2])
    assert found.phases.tolist() == [[5, 0], [5, 5]]


# What the data say.


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("n_train", [8, 12])
def test_the_columns_of_a_split_are_those_of_its_training_pairs(n_train: int, seed: int) -> None:
    config = small(seed, n_train=n_train)
    samples = addition_samples(5)
    is_train = np.zeros(15, dtype=bool)
    is_train[toy_data(config.toy, "mse", seed).train.numpy()] = True
    mask = toy_split.torch.from_numpy(is_train)
    assert data_columns(config) == {
        "nullity": int(nullity(mask, samples)),
        "ideal_test_accuracy": float(ideal_validation_accuracy(mask, samples)),
        "lambda_3": float(spectrum(mask, samples).lambda_3),
    }


def test_a_split_is_computed_once_whatever_else_differs() -> None:
    configs = [small(5, width=width, lr=lr) for width in (3, 4) for lr in (0.1, 0.2)]
    toy_split._theory.cache_clear()
    first, *others = [data_columns(config) for config in configs]
    assert others == 3 * [first]
    assert toy_split._theory.cache_info().misses == 1
    data_columns(small(6))
    assert toy_split._theory.cache_info().misses == 2


def test_the_theory_of_sums_says_nothing_of_other_tasks() -> None:
    silent = dict.fromkeys(("nullity", "ideal_test_accuracy", "lambda_3"))
    product = {"operation": "compose", "group": "S3", "combine": "product", "dim": 9}
    assert data_columns(toy(0, pairs="ordered", n_train=20, **product)) == silent
    assert data_columns(toy(0, combine="concat")) == silent
    assert data_columns(toy(0, p=200)) == silent
    modular = data_columns(toy(0, operation="add_mod"))
    assert modular["lambda_3"] is None
    assert modular["nullity"] == 1  # the constant embedding alone
    assert data_columns(toy(0, p=2, n_train=2))["lambda_3"] is None
    assert data_columns(RunConfig()) == {}
