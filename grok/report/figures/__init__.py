"""The figures of the papers, drawn from stored runs: one module or package a paper.

Each has ``FIGURES``, a list of :class:`~grok.report.figures.base.PaperFigure`. The published values
that are drawn in are named with their source beside them in the code.
"""

from importlib import import_module

from grok.inputs import find_paper
from grok.report.figures.base import PaperFigure
from grok.tracking.panels import PAPERS


def figures_of(paper: str) -> dict[str, PaperFigure]:
    """The figures of a paper by name, in their order.

    Args:
        paper: One of :data:`grok.tracking.panels.PAPERS`, with ``-`` or ``_``.

    Raises:
        InputError: If there is no such paper; lists those there are.
    """
    module = find_paper(paper, PAPERS, "figures").replace("-", "_")
    figures = import_module(f"grok.report.figures.{module}").FIGURES
    return {figure.name: figure for figure in figures}
