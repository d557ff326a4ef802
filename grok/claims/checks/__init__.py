"""Checks behind the claims that no training run is needed for.

A check builds what a claim is about, at most a few updates of it, and returns readings at once.
It judges nothing: what the readings must be stands with the claims.
"""

Readings = dict[str, dict[str, float]]
"""Name of a quantity -> case (seed, placement, scale, ..., joined by ``/``) -> value."""
