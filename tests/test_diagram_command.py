"""``grok diagram`` as a user sees it; what is stored was not trained but written."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest

from grok.claims.effective_theory.published import published_table
from grok.cli import main
from grok.config import run_key
from grok.lit.signals import Interrupted
from grok.metrics.phase_map import parse_map
from grok.runs import RunStore
from grok.sweep import Outcome, grid_of, read_sweep
from tests.running import Result, command, files
from tests.sweep.toy_cells import passing, stored, toy_sweep

AXES: dict[str, list[Any]] = {
    "toy.width": [8, 16],
    "optim.lr": [1e-3, 3e-3, 1e-2],
    "seed": [0, 1, 2],
}
OUTCOME = Outcome([], [], {}, [])


Diagram = Callable[..., Result]


@pytest.fixture
def diagram(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Diagram:
    """Runs the command on a grid of 18 runs, in a directory ``work`` that has nothing else."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.delenv("GROK_RUNS", raising=False)
    toy_sweep(work, AXES, home)

    def of(*arguments: str) -> Result:
        return command(capsys, "diagram", *arguments)

    return of


@contextmanager
def trained(outcome: Outcome | BaseException = OUTCOME) -> Iterator[None]:
    """The engine trains nothing, and says this."""

    def engine(*_: object, **__: object) -> Outcome:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    with patch("grok.cli.diagram.run_local", engine):
        yield


def store(T: Callable[[int, int, int], tuple[int, int]], sweep: str = "grid.yaml") -> Path:
    """Every run of the sweep, with the steps that a row, column and seed have; and its folder."""
    cells = read_sweep(sweep).cells()
    grid = grid_of(cells)
    for cell in cells:
        last = cell.config.n_steps
        stored(Path("runs"), cell.config, passing(*T(*grid.place(cell)), last))
    return Path("runs", "diagrams", Path.cwd().name, "grid")


def by_place(row: int, column: int, seed: int) -> tuple[int, int]:
    """Rows C G M and X M (a tie of three)."""
    kinds = {"C": (10, 20), "G": (10, 200), "M": (10, -1), "X": (-1, -1)}
    seeds = [["CCC", "GGC", "MMM"], ["XXX", "MMX", "CGM"]][row][column]
    return kinds[seeds[seed]]


def test_a_diagram_is_printed_and_written(diagram: Diagram) -> None:
    folder = store(by_place)
    with trained():
        result = diagram("grid.yaml", "--lag=100")
    assert result.code == 0
    text = (folder / "map.txt").read_text()
    assert result.out.startswith(text)
    found = parse_map(text)
    assert (found.row_name, found.column_name) == ("toy.width", "optim.lr")
    assert found.phases.tolist() == [[0, 1, 2], [3, 2, 5]]
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert "8 100 67 100" in lines
    assert "G grokking 1 16.7%" in lines
    delays = "median delay of test after training: 10 steps (8 runs), 190 steps (3 grokking ones)"
    assert delays in lines
    assert lines[-3:] == [str(folder / name) for name in FILES]
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert (folder / "map.png").read_bytes().startswith(b"\x89PNG")
    table = pl.read_parquet(folder / "cells.parquet")
    assert len(table) == 18
    assert table["majority"].to_list()[::3] == [
        *("comprehension", "grokking", "memorization"),
        *("confusion", "memorization", "undecided"),
    ]


FILES = ("cells.parquet", "map.txt", "map.png")


def test_one_json_object_says_all_of_it(diagram: Diagram) -> None:
    folder = store(by_place)
    with trained():
        result = diagram("grid.yaml", "--lag=100", "--json", "--plot=phases.svg")
    assert result.code == 0
    found = json.loads(result.out)
    assert result.out.count("\n") == 1
    assert list(found) == ["sweep", "x", "y", "cells", "counts", "files"]
    assert found["x"] == {"field": "optim.lr", "values": [1e-3, 3e-3, 1e-2]}
    assert found["counts"] == {
        **{"comprehension": 1, "grokking": 1, "memorization": 2},
        **{"confusion": 1, "other": 0, "undecided": 1},
    }
    table = pl.read_parquet(folder / "cells.parquet")
    assert found["cells"] == table.to_dicts()
    assert list(found["files"]) == [*FILES, "plot"]
    assert Path("phases.svg").read_bytes().startswith(b"<?xml")


def test_another_criterion_gives_another_diagram_of_the_same_runs(diagram: Diagram) -> None:
    folder = store(by_place)
    before = files(Path("runs"))
    letters = {}
    for flags in (("--lag=100",), ("--lag=10",), ("--ratio=20",), ("--ratio=2.5",)):
        with trained():
            assert diagram("grid.yaml", *flags).code == 0
        rows = (folder / "map.txt").read_text().splitlines()[2:]
        letters[flags[0]] = " ".join(row.split()[1] for row in rows)
    assert letters == {
        "--lag=100": "CGM XMU",
        "--lag=10": "GGM XMG",
        "--ratio=20": "CGM XMU",
        "--ratio=2.5": "CGM XMU",
    }
    assert files(Path("runs")).items() >= before.items()


def test_a_preview_trains_and_writes_nothing(diagram: Diagram) -> None:
    with trained(AssertionError("trained")):
        result = diagram("grid.yaml", "--dry-run")
        assert (result.code, result.err) == (0, "")
        what = f"{Path.cwd().name}/grid: 2 x 3 cells of toy.width x optim.lr x 3 seeds, 0 runs done"
        assert result.out.startswith(f"{what}; at most 7,200 steps left, about ")
        found = json.loads(diagram("grid.yaml", "--dry-run", "--json", "--seeds=4,5").out)
    assert len(found["cells"]) == 12
    assert {cell["state"] for cell in found["cells"]} == {"new"}
    assert found["y"] == {"field": "toy.width", "values": [8, 16]}
    assert found["seconds"] > 0
    assert not Path("runs").exists()


def test_failed_and_busy_runs_are_named_and_are_no_success(diagram: Diagram) -> None:
    store(by_place)
    with trained(Outcome([], [], {"a": "no memory"}, ["b"])):
        result = diagram("grid.yaml", "--json")
    assert result.code == 1
    assert len(json.loads(result.out)["cells"]) == 18
    assert result.err.splitlines()[1:] == [
        "grok: run b is being trained by another process",
        "grok: run a failed: no memory",
    ]


def test_an_interrupted_diagram_shows_what_is_stored(diagram: Diagram) -> None:
    cells = read_sweep("grid.yaml").cells()
    stored(Path("runs"), cells[0].config, passing(10, 20))
    with trained(Interrupted(signal.SIGINT)):
        result = diagram("grid.yaml", "--seeds=0")
    assert result.code == 130
    assert result.err.splitlines()[-1] == "The same command goes on from there."
    folder = Path("runs", "diagrams", Path.cwd().name, "grid")
    assert [row.split()[-1] for row in (folder / "map.txt").read_text().splitlines()[2:]] == [
        "CUU",
        "UUU",
    ]
    assert not (folder / "wandb").exists()
    assert "5 undecided" in result.out


def test_options_reach_the_engine_and_cells_are_tracked_only_if_asked(diagram: Diagram) -> None:
    for flags, mode in (((), "disabled"), (("--track_cells",), "offline")):
        with patch("grok.cli.diagram.run_local", return_value=OUTCOME) as engine:
            arguments = ("--workers=3", "--runs-dir=x", "--tracking.mode=offline", *flags)
            with patch("grok.tracking.log_table", return_value=None) as log:
                assert diagram("grid.yaml", *arguments).code == 0
        [configs, runs_dir] = engine.call_args.args
        assert {config.tracking.mode for config in configs} == {mode}
        assert runs_dir == Path("x")
        assert engine.call_args.kwargs == {"workers": 3, "name": f"{Path.cwd().name}/grid"}
        assert log.call_args.args[2].mode == "offline"


@pytest.mark.slow
def test_a_diagram_has_a_copy_on_wandb(diagram: Diagram) -> None:
    folder = store(by_place)
    with trained():
        result = diagram("grid.yaml", "--tracking.mode=offline", "--lag=100")
    where = Path(result.out.splitlines()[-1])
    assert where.parent.resolve() == (folder / "wandb").resolve()
    (table,) = where.rglob("*.table.json")
    found = json.loads(table.read_text())
    stored_cells = pl.read_parquet(folder / "cells.parquet")
    assert found["columns"] == stored_cells.columns
    assert [tuple(row) for row in found["data"]] == stored_cells.rows()
    assert len(list(where.rglob("*.png"))) == 1


# What it is compared with.


def figure(scale: float = 1.0) -> str:
    """A sweep over the grid of the published figure 5a, and its runs as published."""
    table = published_table("fig5a")
    axes = {
        "optim.embed_lr": [scale * x for x in table.rows.tolist()],
        "optim.lr": table.columns.tolist(),
    }
    sweep = toy_sweep(Path.cwd(), axes, n_steps=table.budget)
    if scale == 1.0:
        T_tr = np.where(table.T_tr < 0, -1, table.T_tr + 1)
        store(lambda row, column, _: (int(T_tr[row, column]), int(table.T_va[row, column])))
    return sweep


def test_the_published_diagram_fed_back_agrees_with_itself(
    diagram: Diagram,
) -> None:
    figure()
    with trained():
        found = json.loads(diagram("grid.yaml", "--against=fig5a", "--json").out)
    shares = {"exact": 1.0, "one_grid_step": 1.0}
    assert found["agreement"] == {"against": "fig5a", "budget": 10_000, **shares}
    assert found["counts"]["grokking"] > 0
    assert found["counts"]["undecided"] == 0


def test_a_diagram_that_was_made_before_is_compared_by_its_map_or_its_cells(
    diagram: Diagram,
) -> None:
    folder = store(by_place)
    with trained():
        assert diagram("grid.yaml", "--lag=100").code == 0
        for name in FILES[:2]:
            Path(name).write_bytes((folder / name).read_bytes())
        of_map = json.loads(diagram("grid.yaml", "--lag=10", "--json", *AGAINST[:1]).out)
        of_cells = diagram("grid.yaml", "--lag=10", AGAINST[1])
    # CGM XMU of lag 100 against GGM XMG of lag 10; labels of cells follow the criterion.
    shares = {"exact": 4 / 6, "one_grid_step": 5 / 6}
    assert of_map["agreement"] == {"against": "map.txt", "budget": 400, **shares}
    assert "\ncells.parquet, to 400 steps:\n" in of_cells.out
    assert "agreement: 100.0% of the cells, 100.0% within one grid step" in of_cells.out


AGAINST = ("--against=map.txt", "--against=cells.parquet")


def test_another_grid_is_refused_before_anything_is_trained(
    diagram: Diagram,
) -> None:
    figure(scale=1.05)
    with trained(AssertionError("trained")):
        result = diagram("grid.yaml", "--against=fig5a")
        assert result.code == 2
        assert result.err == (
            "grok: against=fig5a: its rows are 1e-05, 2.15e-05, ..., 0.01, those of optim.embed_lr "
            "are 1.05e-05, 2.26e-05, ..., 0.0105; grids must have the same values within 2 %\n"
        )
        Path("map.txt").write_text("columns: optim.lr: 1 2\nrows: a:\n1 CG\n2 GX\n")
        toy_sweep(Path.cwd(), AXES)
        result = diagram("grid.yaml", "--against=map.txt")
        assert (result.code, "its rows are 1, 2, those of toy.width are 8, 16" in result.err) == (
            2,
            True,
        )


def test_words_on_an_axis_must_be_the_same_words(diagram: Diagram) -> None:
    toy_sweep(Path.cwd(), {"toy.act": ["tanh", "relu"], "optim.lr": [1, 2]})
    for name, code in (("toy.act (tanh, relu)", 0), ("toy.act (relu, tanh)", 2), ("decay", 2)):
        Path("map.txt").write_text(f"columns: optim.lr: 1 2\nrows: {name}:\n0 CG\n1 GX\n")
        result = diagram("grid.yaml", "--against=map.txt", "--dry-run")
        assert (result.code, result.err.count("\n")) == (code, code // 2), result.err


# What cannot be used.


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "which sweep? `grok list sweeps` shows them"),
        (["nothing"], "no sweep named 'nothing'; there are: "),
        (["grid.yaml", "--x=optim"], "x=optim is no axis of the sweep; there are: toy.width"),
        (["grid.yaml", "--y=optim.lr", "--x=optim.lr"], "x and y are both optim.lr"),
        (["grid.yaml", "--optim.lr=0.1"], "a diagram has two axes beside seed; name two"),
        (["grid.yaml", "--accuracy=0"], "accuracy=0: allowed are whole percent, 1 to 100"),
        (["grid.yaml", "--accuracy=0.9"], "--accuracy"),
        (["grid.yaml", "--lag=0"], "lag=0 must be 1 or more"),
        (["grid.yaml", "--ratio=1"], "ratio=1.0: allowed are numbers above 1"),
        (["grid.yaml", "--ratio=inf"], "ratio=inf: allowed are numbers above 1"),
        (["grid.yaml", "--ratio=nan"], "ratio=nan: allowed are numbers above 1"),
        (["grid.yaml", "--plot=a.gif"], "plot=a.gif: allowed endings are .png, .svg, .pdf"),
        (["grid.yaml", "--plot=no/a.png"], "plot=no/a.png: no is not a directory"),
        (["grid.yaml", "--workers=0"], "workers=0 must be 1 or more"),
        (["grid.yaml", "--against=fig7"], "against=fig7: allowed are fig6a, "),
        (["grid.yaml", "--against=no.parquet"], "no.parquet cannot be read: "),
        (["grid.yaml", "--against=grid.yaml"], "grid.yaml: phase map, line 1: expected"),
        (["grid.yaml", "--against=odd.parquet"], "odd.parquet has no column toy.width"),
        (["grid.yaml", "--against=text.parquet"], "text.parquet cannot be read: "),
        (["grid.yaml", "--against=fig5a"], "its rows are 1e-05, 2.15e-05, ..., 0.01, those"),
        (["grid.yaml", "--seeds=x"], "seeds=x: expected whole numbers"),
        (["grid.yaml", "--lr=1"], "no field 'lr'; did you mean optim.lr?"),
        (["grid.yaml", "extra"], "unexpected argument 'extra'"),
    ],
)
def test_unusable_input_is_one_line(arguments: list[str], part: str, diagram: Diagram) -> None:
    pl.DataFrame({"a": [1]}).write_parquet("odd.parquet")
    Path("text.parquet").write_text("no parquet")
    with trained(AssertionError("trained")):
        result = diagram(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("grok: ")
    assert result.err.count("\n") == 1
    assert part in result.err
    assert not Path("runs").exists()


def test_a_stored_table_of_another_kind_is_refused(diagram: Diagram) -> None:
    names = ("toy.width", "optim.lr", "status", "step", "budget", "T_tr", "T_va")
    pl.DataFrame({name: ["a"] for name in names}).write_parquet("words.parquet")
    result = diagram("grid.yaml", "--against=words.parquet")
    assert (result.code, result.err.count("\n")) == (2, 1), result.err
    assert "words.parquet" in result.err


def test_help_shows_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagram", "--help"]) == 0
    text = capsys.readouterr().out
    flags = "x y seeds accuracy lag ratio against plot track_cells workers runs_dir dry-run json"
    assert all(f"--{flag}" in text for flag in flags.split())


def test_a_diagram_is_no_run_of_the_store(diagram: Diagram) -> None:
    store(by_place)
    with trained():
        assert diagram("grid.yaml").code == 0
    keys = {run_key(cell.config) for cell in read_sweep("grid.yaml").cells()}
    assert {run.key for run in RunStore("runs").runs()} == keys
