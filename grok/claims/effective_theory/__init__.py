"""Claims ET-A1 to ET-A7 of Liu et al. 2022: the effective theory, without networks."""

from grok.claims.claim import Claim, claims_in
from grok.claims.effective_theory import theory

CLAIMS: tuple[Claim, ...] = claims_in(theory)
"""All of them, in the order of the modules."""
