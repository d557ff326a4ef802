"""Figures of Liu et al. 2022 (arXiv 2205.10343), one module a group of figures."""

from grok.report.figures.base import PaperFigure
from grok.report.figures.effective_theory.phases import appendix, figure_6, images, transformer

FIGURES: list[PaperFigure] = [*figure_6, transformer, images, *appendix]
