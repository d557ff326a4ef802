"""Claims PM-C1 to PM-C24 and exact tests PM-U1 to PM-U8 of Nanda et al. 2023."""

from grok.claims.claim import Claim, claims_in
from grok.claims.progress_measures import circuit, phases, settings, unit

CLAIMS: tuple[Claim, ...] = claims_in(unit, phases, circuit, settings)
"""All of them, in the order of the modules."""
