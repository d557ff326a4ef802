import contextlib
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from grok.inputs import InputError
from grok.metrics.learning_phases import Phase
from grok.metrics.phase_map import PhaseMap, agreement, agrees, parse_map, text_map

CODES = st.integers(0, len(Phase) - 1)
GRIDS = arrays(np.int64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=CODES)
VALUES = st.floats(allow_nan=False, allow_infinity=False)


def grid(*rows: str) -> np.ndarray:
    codes = {phase.letter: int(phase) for phase in Phase}
    return np.array([[codes[letter] for letter in row] for row in rows])


def diagram(phases: np.ndarray) -> PhaseMap:
    n_rows, n_columns = phases.shape
    return PhaseMap(
        "decay", np.arange(float(n_rows)), "decoder lr", 10.0 ** -np.arange(n_columns), phases
    )


def test_a_map_is_written_as_the_papers_are() -> None:
    phases = grid("GCM", "GGX", "OUX")
    written = PhaseMap(
        "decay", np.array([0, 5.5, 10]), "decoder lr", np.array([1e-5, 1e-4, 0.1]), phases
    )
    expected = """\
columns: decoder lr: 1e-05 0.0001 0.1
rows: decay:
  0  GCM
5.5  GGX
 10  OUX
"""
    assert text_map(written) == expected


@given(GRIDS, st.data())
def test_a_written_map_is_read_back_bit_for_bit(phases: np.ndarray, data: st.DataObject) -> None:
    rows, columns = (data.draw(arrays(np.float64, n, elements=VALUES)) for n in phases.shape)
    read = parse_map(text_map(PhaseMap("decay", rows, "decoder lr", columns, phases)))
    assert (read.row_name, read.column_name) == ("decay", "decoder lr")
    for ours, theirs in zip(read[1::2], (rows, columns), strict=True):
        assert isinstance(ours, np.ndarray)
        assert ours.tobytes() == theirs.tobytes()
    assert (read.phases == phases).all()


def test_a_map_without_cells_is_read_back() -> None:
    read = parse_map(text_map(diagram(np.zeros((0, 0), dtype=np.int64))))
    assert read.phases.shape == (0, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"row_name": "a:b"}, "cannot be the name"),
        ({"column_name": ""}, "cannot be the name"),
        ({"column_name": "a\nb"}, "cannot be the name"),
        ({"rows": np.array([0, math.inf])}, "finite"),
        ({"rows": np.zeros(3)}, "on axes of"),
    ],
)
def test_a_map_that_could_not_be_read_back_is_not_written(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        text_map(diagram(grid("CG", "MX"))._replace(**change))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "starts with"),
        ("rows: decay:\ncolumns: lr: 1", "line 1: expected `columns"),
        ("columns: lr: 1\nrows: decay", "line 2: expected `rows"),
        ("columns: lr: 1\nrows: decay: 2", "line 2: '2' after"),
        ("columns: lr: one\nrows: decay:", "line 1: 'one' is not"),
        ("columns: lr: 1\nrows: decay:\n\nnan C", "line 4: 'nan' is not"),
        ("columns: lr: 1\nrows: decay:\n0 c", "line 3: letter 'c'; allowed are C, G, M, X, O, U"),
        ("columns: lr: 1\nrows: decay:\n0 CC", "line 3: 2 letters for 1 columns"),
        ("columns: lr: 1\nrows: decay:\n0", "line 3: 0 letters for 1 columns"),
    ],
)
def test_a_text_that_is_no_map_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        parse_map(text)
    assert "\n" not in str(error.value)


@given(st.text(alphabet="colums: rw\n0e1CGMX.-", max_size=60))
def test_any_text_is_a_map_or_an_error_of_the_input(text: str) -> None:
    with contextlib.suppress(InputError):
        parse_map("columns: x: 1 2\nrows: y:\n" + text)


@given(GRIDS, st.data())
def test_agreement_is_that_of_the_definition_written_out(
    theirs: np.ndarray, data: st.DataObject
) -> None:
    ours = data.draw(arrays(np.int64, theirs.shape, elements=CODES))
    exact, near = agrees(ours, theirs), agrees(ours, theirs, 1)
    for i, j in np.ndindex(theirs.shape):
        label = ours[i, j]
        decided = label != Phase.UNDECIDED
        around = [theirs[k, m] for k, m in np.ndindex(theirs.shape) if abs(i - k) + abs(j - m) <= 1]
        assert exact[i, j] == (decided and label == theirs[i, j])
        assert near[i, j] == (decided and label in around)
    assert agreement(ours, theirs, 1) == near.mean()


def test_a_boundary_moved_by_one_step_agrees_with_a_tolerance_only() -> None:
    theirs = grid("CCMM", "CCMM", "CCMM")
    for ours in (grid("CMMM", "CMMM", "CMMM"), grid("CCCM", "CCCM", "CCCM")):
        assert agreement(ours, theirs) == 0.75
        assert agreement(ours, theirs, 1) == 1


def test_nothing_is_forgiven_inside_a_region_or_two_steps_off() -> None:
    theirs = grid("CCMM", "CCMM")
    assert agrees(grid("MCMM", "CCMM"), theirs, 1).tolist()[0] == [False, True, True, True]
    assert agreement(grid("CCCC", "CCMM"), theirs, 1) == 7 / 8


def test_a_diagonal_is_two_steps() -> None:
    assert not agrees(grid("CM", "MM"), grid("MM", "MC"), 1)[0, 0]


def test_undecided_cells_never_agree() -> None:
    undecided = grid("UU")
    assert agreement(undecided, undecided, 1) == 0
    assert agreement(grid("CC"), undecided, 1) == 0


def test_maps_of_other_shapes_or_longer_tolerances_are_refused() -> None:
    with pytest.raises(Exception, match=r"maps of shapes|Type-check error"):
        agrees(grid("CC"), grid("C"))
    with pytest.raises(Exception, match=r"steps=2|Type-check error"):
        agrees(grid("C"), grid("C"), 2)  # type: ignore[arg-type]
