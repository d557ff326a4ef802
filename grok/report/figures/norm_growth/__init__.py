"""Figures of Merrill et al. 2021 (arXiv 2010.09697), one module a group of figures."""

from grok.report.figures.base import PaperFigure
from grok.report.figures.norm_growth.growth import alignment, growth
from grok.report.figures.norm_growth.heads import heads
from grok.report.figures.norm_growth.phase import phase
from grok.report.figures.norm_growth.saturation import layers, scales

FIGURES: list[PaperFigure] = [growth, layers, heads, scales, alignment, phase]
