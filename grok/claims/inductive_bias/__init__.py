"""Claims IB-01 to IB-33 of Singh et al. 2026, with the bounds of their published spread."""

from grok.claims.claim import Claim, claims_in
from grok.claims.inductive_bias import (
    features,
    optimisation,
    placement,
    readout,
    structure,
    unit,
    variants,
)

CLAIMS: tuple[Claim, ...] = claims_in(
    unit, placement, variants, structure, optimisation, readout, features
)
"""All of them, in the order of the modules."""
