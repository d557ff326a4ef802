"""Figures of Liu et al. 2022 (arXiv 2205.10343), one module a group of figures."""

from grok.report.figures.base import PaperFigure
from grok.report.figures.effective_theory import curves, phases, planes, sizes, theory, weights

FIGURES: list[PaperFigure] = [
    *(weights.circle, planes.planes, sizes.prediction),
    *(theory.critical, sizes.threshold, theory.effective_flow, weights.trajectory),
    *(theory.rates, sizes.measured_time),
    *phases.figure_6,
    *(curves.dimension, curves.dropout, phases.transformer),
    *(curves.images, phases.images),
    *(sizes.bounds, curves.four_symbols),
    *phases.appendix,
    *(weights.hexagon, sizes.group, curves.image_count),
]
"""In the paper's order."""
