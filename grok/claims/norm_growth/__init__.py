"""Claims of Merrill et al. 2021 on growth of the parameter norm, homogeneity and saturation."""

from grok.claims.claim import Claim, claims_in
from grok.claims.norm_growth import (
    attention,
    decay,
    growth,
    homogeneity,
    hub,
    language,
    language_heads,
    random_networks,
)

CLAIMS: tuple[Claim, ...] = claims_in(
    growth, homogeneity, attention, random_networks, language, decay, language_heads, hub
)
"""All of them, in the order of the modules."""
