"""Small plots of characters, for terminals and pipes. Imports no torch."""

import math
from collections.abc import Mapping, Sequence

Points = tuple[Sequence[int | float], Sequence[int | float]]
"""x and y."""


def text_plot(
    series: Mapping[str, Points], *, x_label: str, y_label: str, width: int = 64, height: int = 14
) -> str:
    """Points in a frame, each series drawn with the character that is its name.

    Args:
        series: Points by character; later ones are drawn over earlier ones. What is not finite is
            left out.
        x_label: Stands under the axis.
        y_label: Stands over it.
        width: Columns between the axes.
        height: Lines between them.

    Returns:
        Lines, each ended. A range of one value has it in the middle.

    Raises:
        ValueError: If there is no finite point.
    """
    points = [
        (mark[0], float(x), float(y))
        for mark, (xs, ys) in series.items()
        for x, y in zip(xs, ys, strict=True)
        if math.isfinite(x) and math.isfinite(y)
    ]
    if not points:
        raise ValueError("nothing to plot: no point is finite")
    left, right = _range([x for _, x, _ in points])
    bottom, top = _range([y for _, _, y in points])
    cells = [[" "] * width for _ in range(height)]
    for mark, x, y in points:
        row = round((top - y) / (top - bottom) * (height - 1))
        cells[row][round((x - left) / (right - left) * (width - 1))] = mark
    ticks = {0: f"{top:.4g}", height - 1: f"{bottom:.4g}"}
    margin = max(map(len, ticks.values()))
    lines = [f"{'':>{margin}} {y_label}"]
    lines += [
        f"{ticks.get(k, ''):>{margin}} |{''.join(row)}".rstrip() for k, row in enumerate(cells)
    ]
    ends = f"{left:.4g}", f"{right:.4g}"
    lines.append(f"{'':>{margin}} +{'-' * width}")
    between = max(width - len(ends[0]) - len(ends[1]), len(x_label) + 2)
    lines.append(f"{'':>{margin}}  {ends[0]}{x_label:^{between}}{ends[1]}")
    return "".join(f"{line}\n" for line in lines)


def bar(share: int | float, width: int = 30) -> str:
    """A bar of ``#`` for a share between 0 and 1."""
    return "#" * round(share * width)


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if low < high else (low - 0.5, high + 0.5)
