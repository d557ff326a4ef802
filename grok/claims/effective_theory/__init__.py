"""Claims of Liu et al. 2022."""

from grok.claims.claim import Claim, claims_in
from grok.claims.effective_theory import (
    beyond,
    competition,
    encoder,
    images,
    phase_counts,
    runs,
    settings,
    structure,
    theory,
)

CLAIMS: tuple[Claim, ...] = claims_in(
    theory, phase_counts, runs, competition, structure, settings, beyond, encoder, images
)
"""All of them, in the order of the modules."""
