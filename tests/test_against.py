"""With what a phase diagram may be compared: the same axes, the right way up, in whatever order."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from grok.claims.effective_theory.published import TABLES, published_table
from grok.cli.against import compare, find_reference
from grok.inputs import InputError
from grok.metrics.phase_map import PhaseMap, parse_map, text_map
from grok.sweep import Axis, Criterion, Grid

WIDTHS, RATES = Axis("toy.width", (8, 16)), Axis("optim.lr", (1e-3, 3e-3, 1e-2))
GRID = Grid(RATES, WIDTHS, (None,))
SWEEPS = Path(__file__).parents[1] / "sweeps" / "effective_theory"
COMPARED = {
    name: path
    for path in SWEEPS.glob("*.yaml")
    for name in re.findall(r"--against=(\w+)", path.read_text(encoding="utf-8"))
}
"""Published diagrams and the sweep files that say they can be compared with them."""
T = {"C": (10, 20), "G": (10, 5000), "M": (10, -1), "X": (-1, -1)}
ROWS = ("CGM", "XMC")


def cells(rows: tuple[str, ...] = ROWS, budget: int = 9000) -> pl.DataFrame:
    """A table of one seed with these labels."""
    found = []
    for width, row in zip(WIDTHS.values, rows, strict=True):
        for rate, letter in zip(RATES.values, row, strict=True):
            T_tr, T_va = T[letter]
            found.append({"toy.width": float(width), "optim.lr": rate, "status": "completed"})
            found[-1] |= {"step": budget, "budget": budget, "T_tr": T_tr, "T_va": T_va}
    return pl.DataFrame(found)


def letters(found: PhaseMap) -> list[str]:
    return [line.split()[1] for line in text_map(found).splitlines()[2:]]


def refused(name: str, grid: Grid = GRID) -> str:
    with pytest.raises(InputError) as error:
        find_reference(name, grid)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(["toy.width", "optim.lr"], id="as_written"),
        pytest.param(["optim.lr", "toy.width"], id="columns_first"),
        pytest.param(["T_va", "optim.lr"], id="in_no_order"),
    ],
)
def test_stored_cells_are_found_by_their_values_not_by_their_place(
    order: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "cells.parquet"
    cells().sort(order).write_parquet(path)
    found = compare(find_reference(str(path), GRID), GRID, cells(), Criterion())
    assert letters(found.theirs) == list(ROWS)
    assert (found.exact, found.near, found.budget) == (1.0, 1.0, 9000)


def test_seeds_of_stored_cells_are_counted_together(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    seeds = [cells(("CGM", "XMC")), cells(("CCM", "XXC")), cells(("CGX", "XMG"))]
    pl.concat(seeds).write_parquet(path)
    assert letters(find_reference(str(path), GRID).map(Criterion(), None)) == list(ROWS)


def test_both_are_cut_to_the_shorter_budget(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    cells(budget=4000).write_parquet(path)
    long = cells(("CGM", "XMC"), budget=9000)
    found = compare(find_reference(str(path), GRID), GRID, long, Criterion())
    assert found.budget == 4000
    assert letters(found.theirs) == ["CMM", "XMC"]
    assert found.exact == 1.0
    other = compare(find_reference(str(path), GRID), GRID, cells(("CGM", "XMM")), Criterion())
    assert other.exact == pytest.approx(5 / 6)


def test_cells_that_are_no_whole_grid_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    whole = cells()
    for broken in (whole[:5], pl.concat([whole[:5], whole[:1]]), pl.concat([whole, whole[:1]])):
        broken.write_parquet(path)
        assert refused(str(path)) == f"{path} has {len(broken)} cells, which is no whole grid"
    whole[:0].write_parquet(path)
    assert refused(str(path)) == f"{path} has 0 cells, which is no whole grid"
    whole.with_columns(T_va=None).write_parquet(path)
    assert refused(str(path)) == f"{path} has cells without T_va"


def test_a_map_on_its_side_is_refused_though_its_values_fit(tmp_path: Path) -> None:
    path, numbers = tmp_path / "map.txt", np.array([1e-3, 1e-2])
    phases = np.array([[0, 1], [2, 3]])
    a, b = (Axis(name, tuple(numbers)) for name in ("optim.embed_lr", "optim.lr"))
    path.write_text(text_map(PhaseMap(a.name, numbers, b.name, numbers, phases)))
    assert letters(find_reference(str(path), Grid(b, a, (None,))).map(Criterion(), None)) == [
        "CG",
        "MX",
    ]
    assert refused(str(path), Grid(a, b, (None,))) == (
        f"against={path}: its rows are optim.embed_lr and its columns optim.lr; ours are the other "
        "way round: try --x=optim.lr --y=optim.embed_lr"
    )


def test_a_published_diagram_is_taken_upright_alone() -> None:
    table = published_table("fig6a")
    embed, lr = (
        Axis(name, tuple(values.tolist()))
        for name, values in (("optim.embed_lr", table.rows), ("optim.lr", table.columns))
    )
    assert find_reference("fig6a", Grid(lr, embed, (None,))).budget == 100_000
    message = refused("fig6a", Grid(embed, lr, (None,)))
    assert message.endswith("the other way round: try --x=optim.lr --y=optim.embed_lr")


@pytest.mark.parametrize("name", TABLES)
def test_a_published_diagram_fed_back_agrees_with_itself_in_every_cell(name: str) -> None:
    table = published_table(name)
    fields = {"embedding lr": "optim.embed_lr", "decay": "optim.weight_decay"}
    y = Axis(fields[table.row_name], tuple(table.rows.tolist()))
    last = {"decoder lr": "optim.lr", "last-layer lr": "optim.unembed_lr"}
    x = Axis(last[table.column_name], tuple(table.columns.tolist()))
    late = 0 if name == "mnist" else 1
    rows = [
        {"T_tr": int(T_tr) + late * (T_tr >= 0), "T_va": int(T_va), "status": "completed"}
        | {"step": table.budget, "budget": table.budget}
        for T_tr, T_va in zip(table.T_tr.ravel(), table.T_va.ravel(), strict=True)
    ]
    grid = Grid(x, y, (None,))
    frame = pl.DataFrame(rows)
    both = frame.filter(pl.col("T_tr") >= 0, pl.col("T_va") >= 0)
    delay = (both["T_va"] - both["T_tr"]).sort()[len(both) // 2]
    # With the median delay as the lag one cell is at the edge, where a step decides.
    for lag in (1000, delay, delay + 1):
        found = compare(find_reference(name, grid), grid, frame, Criterion(lag=lag))
        assert (found.exact, found.budget) == (1.0, table.budget)
    found = compare(find_reference(name, grid), grid, frame, Criterion())
    if table.phases is not None:
        assert found.theirs.phases.tolist() == table.phases.tolist()
    assert parse_map(text_map(found.theirs)).phases.tolist() == found.theirs.phases.tolist()


def test_every_published_diagram_of_toy_networks_has_a_sweep_file() -> None:
    assert set(COMPARED) == {name for name in TABLES if name != "mnist"}


@pytest.mark.parametrize("name", COMPARED)
def test_a_sweep_file_has_the_grid_and_budget_of_its_published_diagram(name: str) -> None:
    parameters = yaml.safe_load(COMPARED[name].read_text(encoding="utf-8"))["parameters"]
    varied = {
        field: tuple(spec["values"])
        for field, spec in parameters.items()
        if len(spec.get("values", [])) > 1
    }
    y, x = (Axis(field, values) for field, values in varied.items())
    reference = find_reference(name, Grid(x, y, (None,)))
    assert reference.budget == parameters["n_steps"]["value"]
