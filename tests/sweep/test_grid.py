"""The axes of a diagram among those of a sweep."""

from pathlib import Path
from typing import Any

import pytest

from grok.inputs import InputError
from grok.sweep import Axis, Grid, SweepRun, grid_of, read_sweep
from tests.sweep.toy_cells import toy_sweep


def cells(folder: Path, *flags: str, **axes: list[Any]) -> list[SweepRun]:
    """Cells of a sweep over these fields, of which `__` stands for a dot."""
    named = {name.replace("__", "."): values for name, values in axes.items()}
    return read_sweep(toy_sweep(folder, named)).cells(flags)


def test_the_two_axes_that_vary_are_found_the_first_for_rows(tmp_path: Path) -> None:
    found = cells(
        tmp_path, optim__lr=[1e-3], toy__n_train=[12, 13], seed=[3, 1], optim__embed_lr=[1e-2, 1e-3]
    )
    grid = grid_of(found)
    assert grid.y == Axis("toy.n_train", (12, 13))
    assert grid.x == Axis("optim.embed_lr", (1e-3, 1e-2))  # numbers ascend
    assert grid.seeds == (1, 3)
    places = [grid.place(cell) for cell in found]
    assert sorted(places) == [(i, j, k) for i in range(2) for j in range(2) for k in range(2)]
    assert places[:3] == [(0, 1, 1), (0, 0, 1), (0, 1, 0)]  # as the file has them


def test_axes_can_be_named_one_or_both(tmp_path: Path) -> None:
    found = cells(tmp_path, toy__n_train=[12, 13], optim__lr=[1e-3, 1e-2], toy__p=[5])
    assert named(grid_of(found, x="toy.n_train")) == ("toy.n_train", "optim.lr")
    assert named(grid_of(found, y="optim.lr")) == ("toy.n_train", "optim.lr")
    assert named(grid_of(found, "toy.n_train", "optim.lr")) == ("toy.n_train", "optim.lr")
    assert grid_of(found).seeds == (None,)


def named(grid: Grid) -> tuple[str, str]:
    return grid.x.name, grid.y.name


def test_an_axis_of_one_value_or_of_seeds_can_be_named(tmp_path: Path) -> None:
    found = cells(tmp_path, toy__n_train=[12, 13], toy__p=[5], seed=[0, 1])
    grid = grid_of(found, x="toy.p")
    assert named(grid) == ("toy.p", "toy.n_train")
    assert grid.seeds == (0, 1)
    grid = grid_of(found, x="seed")
    assert named(grid) == ("seed", "toy.n_train")
    assert grid.seeds == (None,)
    assert [grid.place(cell) for cell in found] == [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)]


@pytest.mark.parametrize(
    ("x", "y", "part"),
    [
        (
            None,
            None,
            r"fix one with --optim\.embed_lr=VALUE\. There are: toy\.n_train \(2 values\)",
        ),
        ("optim.lr", None, "fix one with --optim.embed_lr=VALUE"),
        ("optim.lr", "toy.n_train", "fix one with --optim.embed_lr=VALUE"),
        ("lr", None, r"x=lr is no axis of the sweep; there are: toy\.n_train"),
        (None, "seeds", "y=seeds is no axis"),
        ("optim.lr", "optim.lr", r"x and y are both optim\.lr"),
    ],
)
def test_three_axes_and_wrong_names_are_refused_in_one_line(
    x: str | None, y: str | None, part: str, tmp_path: Path
) -> None:
    found = cells(
        tmp_path, toy__n_train=[12, 13], optim__lr=[1e-3, 1e-2], optim__embed_lr=[1e-3, 1e-2]
    )
    with pytest.raises(InputError, match=part) as error:
        grid_of(found, x, y)
    assert "\n" not in str(error.value)


def test_one_axis_makes_no_diagram_and_a_flag_takes_one_out(tmp_path: Path) -> None:
    found = cells(tmp_path, toy__n_train=[12, 13], seed=[0, 1])
    with pytest.raises(InputError, match="name two"):
        grid_of(found)
    fixed = cells(
        tmp_path,
        "--optim.lr=1e-2",
        toy__n_train=[12, 13],
        optim__lr=[1e-3, 1e-2],
        optim__embed_lr=[1e-3, 1e-2],
    )
    assert named(grid_of(fixed)) == ("optim.embed_lr", "toy.n_train")


def test_values_that_are_no_numbers_keep_their_order_and_are_counted() -> None:
    axis = Axis("toy.act", ("tanh", "relu"))
    assert axis.numbers.tolist() == [0, 1]
    assert axis.title == "toy.act (tanh, relu)"
    assert [axis.entry(i) for i in range(2)] == ["tanh", "relu"]
    assert not Axis("model.subtract_initial", (True, False)).is_numeric
    numbers = Axis("toy.n_train", (12, 13))
    assert (numbers.title, numbers.labels) == ("toy.n_train", ["12", "13"])
    assert [numbers.entry(i) for i in range(2)] == [12.0, 13.0]


def test_words_and_switches_can_be_axes(tmp_path: Path) -> None:
    found = cells(tmp_path, toy__act=["tanh", "relu"], optim__lr=[1e-2, 1e-3])
    grid = grid_of(found)
    assert grid.y.values == ("tanh", "relu")
    assert [grid.place(cell)[:2] for cell in found] == [(0, 1), (0, 0), (1, 1), (1, 0)]
