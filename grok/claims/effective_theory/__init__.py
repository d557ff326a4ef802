"""Claims of Liu et al. 2022."""

from grok.claims.claim import Claim, claims_in
from grok.claims.effective_theory import phase_counts

CLAIMS: tuple[Claim, ...] = claims_in(phase_counts)
"""All of them, in the order of the modules."""
