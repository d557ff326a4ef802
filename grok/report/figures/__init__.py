"""The figures of the papers, drawn from stored runs: one module or package a paper.

Each has ``FIGURES``, a list of :class:`~grok.report.figures.base.PaperFigure`. The published values
that are drawn in are named with their source beside them in the code.
"""

from importlib import import_module

from grok.inputs import InputError
from grok.report.figures.base import PaperFigure

PAPERS = {
    "inductive-bias": "grok.report.figures.inductive_bias",
    "progress-measures": "grok.report.figures.progress_measures",
    "effective-theory": "grok.report.figures.effective_theory",
    "norm-growth": "grok.report.figures.norm_growth",
}
"""Papers that have figures, and where these are."""


def figures_of(paper: str) -> dict[str, PaperFigure]:
    """The figures of a paper by name, in their order.

    Args:
        paper: One of :data:`PAPERS`, with ``-`` or ``_``.

    Raises:
        InputError: If there is no such paper; lists those there are.
    """
    name = paper.replace("_", "-")
    if name not in PAPERS:
        raise InputError(f"no figures of a paper {paper!r}; there are: {', '.join(PAPERS)}")
    return {figure.name: figure for figure in import_module(PAPERS[name]).FIGURES}
