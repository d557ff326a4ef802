import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from grok.report.page.thin import thin


@given(st.integers(5, 4000), st.integers(4, 300), st.booleans(), st.data())
def test_what_is_left_is_a_part_of_the_line_with_its_ends_and_extremes(
    n: int, n_points: int, is_log: bool, data: st.DataObject
) -> None:
    steps = np.cumsum(data.draw(arrays(np.int64, n, elements=st.integers(1, 50))))
    values = data.draw(arrays(np.float64, n, elements=st.floats(-1e3, 1e3)))
    at, left = thin(steps, values, n_points, is_log=is_log)
    assert len(at) <= max(n_points, 4)
    assert (np.diff(at) > 0).all()
    assert {*zip(at.tolist(), left.tolist(), strict=True)} <= {
        *zip(steps.tolist(), values.tolist(), strict=True)
    }
    assert (at[0], at[-1]) == (steps[0], steps[-1])
    assert (left.min(), left.max()) == (values.min(), values.max())


def test_a_spike_and_a_gap_are_kept() -> None:
    steps, values = np.arange(10_000), np.zeros(10_000)
    values[7777], values[3000:4000] = 5.0, np.nan
    at, left = thin(steps, values, 100, is_log=False)
    assert 7777 in at
    assert np.isnan(left).any()
    assert at[np.isnan(left)].min() >= 3000
    assert at[np.isnan(left)].max() < 4000


def test_a_short_line_is_left_alone() -> None:
    steps, values = np.array([0, 5, 9]), np.array([1.0, np.nan, 2.0])
    assert thin(steps, values, 4) == (steps, values)


def test_a_line_without_a_number_is_a_gap() -> None:
    steps, values = np.arange(100), np.full(100, np.nan)
    at, left = thin(steps, values, 10)
    assert len(at) <= 10
    assert np.isnan(left).all()
