"""Claims IB-01 to IB-33 of Singh et al. 2026, with the bounds of their published spread."""

from types import ModuleType

from grok.claims.claim import Claim
from grok.claims.inductive_bias import (
    features,
    optimisation,
    placement,
    readout,
    structure,
    unit,
    variants,
)


def _claims(module: ModuleType) -> list[Claim]:
    return [value for value in vars(module).values() if isinstance(value, Claim)]


CLAIMS: tuple[Claim, ...] = tuple(
    found
    for module in (unit, placement, variants, structure, optimisation, readout, features)
    for found in _claims(module)
)
"""All of them, in the order of the modules."""
