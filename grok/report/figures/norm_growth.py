"""Figures of the paper."""

from grok.report.figures.base import PaperFigure

FIGURES: list[PaperFigure] = []
