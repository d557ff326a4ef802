"""Figures of Nanda et al. 2023 (arXiv 2301.05217), in the order of the paper."""

from grok.report.figures.progress_measures.curves import CURVES
from grok.report.figures.progress_measures.ends import ENDS

FIGURES = sorted([*CURVES, *ENDS], key=lambda figure: int(figure.name))
