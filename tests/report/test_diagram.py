"""A phase diagram as a picture."""

import re
from pathlib import Path

import numpy as np
import pytest

from grok.metrics.learning_phases import Phase
from grok.report.diagram import MOST_TICKS, draw_diagram
from grok.sweep import Axis, Diagram, Grid

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def diagram(n_rows: int, n_columns: int, delay: float = 0.5) -> Diagram:
    """Phases in turn, seeds that agree less and less, and one delay for all but the first cell."""
    phases = np.arange(n_rows * n_columns).reshape(n_rows, n_columns) % len(Phase)
    share = np.linspace(1, 0, phases.size).reshape(phases.shape)
    delays = np.full(phases.shape, delay)
    delays[0, 0] = np.nan
    rows = Axis("toy.n_train", tuple(range(10, 10 + n_rows)))
    columns = Axis("optim.lr", tuple(k / 1000 for k in range(1, 1 + n_columns)))
    return Diagram(Grid(columns, rows, (None,)), phases, share, delays)


def texts(path: Path) -> list[str]:
    """Everything that is written in a picture, with repetition."""
    return re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("ending", MAGIC)
def test_the_ending_says_the_format(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"map{ending}"
    draw_diagram(diagram(2, 4), "a title", path)
    assert path.read_bytes().startswith(MAGIC[ending])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_another_ending_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"allowed endings are \.png, \.svg, \.pdf"):
        draw_diagram(diagram(2, 4), "", tmp_path / "map.gif")
    assert list(tmp_path.iterdir()) == []


def test_both_panels_name_the_axes_and_their_values(tmp_path: Path) -> None:
    draw_diagram(diagram(2, 3), "paper/sweep", tmp_path / "map.svg")
    found = texts(tmp_path / "map.svg")
    assert found.count("paper/sweep") == 1
    for text in ("optim.lr", "toy.n_train", "10", "11", "0.001", "0.002", "0.003"):
        assert found.count(text) == 2, text


def test_the_legend_has_the_phases_that_are_there(tmp_path: Path) -> None:
    draw_diagram(diagram(1, 3), "", tmp_path / "map.svg")
    names = {phase.name.lower() for phase in Phase} & set(texts(tmp_path / "map.svg"))
    assert names == {"comprehension", "grokking", "memorization"}


def test_a_long_axis_leaves_values_out(tmp_path: Path) -> None:
    draw_diagram(diagram(1, 20), "", tmp_path / "map.svg")
    found = texts(tmp_path / "map.svg")
    shown = [f"{k / 1000:.3g}" for k in range(1, 21) if f"{k / 1000:.3g}" in found]
    assert len(shown) <= MOST_TICKS
    assert shown[:3] == ["0.001", "0.003", "0.005"]


@pytest.mark.parametrize("delay", [np.nan, np.inf, 0.0])
def test_a_diagram_without_a_delay_is_drawn_too(delay: float, tmp_path: Path) -> None:
    draw_diagram(diagram(1, 2, delay), "", tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 1000
