"""Figures of Singh et al. 2026 (arXiv 2602.06702)."""

from grok.report.figures.inductive_bias.compress import decay, placement
from grok.report.figures.inductive_bias.optimisation import rate_and_decay, readout_scale
from grok.report.figures.inductive_bias.placement import depth, fourier, paths, rmsnorm, times

FIGURES = [times, fourier, paths, rate_and_decay, readout_scale, placement, rmsnorm, depth, decay]
"""In the order of the paper."""
