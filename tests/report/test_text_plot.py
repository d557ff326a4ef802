import math

import pytest

from grok.report.text_plot import bar, text_plot


def grid(text: str) -> list[str]:
    """What stands between the axes, padded."""
    return [line.partition("|")[2].ljust(5) for line in text.splitlines() if "|" in line]


def test_points_stand_where_they_belong() -> None:
    text = text_plot({"a": ([0, 4], [0, 2])}, x_label="x", y_label="y", width=5, height=3)
    assert grid(text) == ["    a", "     ", "a    "]
    lines = text.splitlines()
    assert lines[0].strip() == "y"
    assert lines[1].startswith("2 |")
    assert lines[3].startswith("0 |")
    assert lines[-1].split() == ["0", "x", "4"]
    assert not any(line.endswith(" ") for line in lines)


def test_later_series_lie_over_earlier_ones() -> None:
    text = text_plot(
        {"a": ([0, 1], [0, 1]), "b": ([1], [1])}, x_label="", y_label="", width=5, height=3
    )
    assert grid(text) == ["    b", "     ", "a    "]


def test_one_value_is_in_the_middle_and_what_is_not_finite_is_left_out() -> None:
    points = ([2, 2, math.nan], [3, math.inf, 1])
    text = text_plot({"a": points}, x_label="", y_label="", width=5, height=3)
    assert grid(text) == ["     ", "  a  ", "     "]
    with pytest.raises(ValueError, match="nothing to plot"):
        text_plot({"a": ([math.nan], [0])}, x_label="", y_label="")


def test_a_bar_is_as_long_as_its_share() -> None:
    assert [bar(x, 10) for x in (0, 0.5, 1)] == ["", "#" * 5, "#" * 10]
