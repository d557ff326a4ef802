"""Claims of the papers as functions of readings, one package per paper.

A claim names the runs that it needs, cells of the sweeps under ``sweeps/``, and a criterion over
their readings. :mod:`grok.claims.reproduce` trains what the run store lacks and judges.
"""

import re
from importlib import import_module

from grok.claims.claim import SEEDS
from grok.claims.claim import Claim as Claim
from grok.inputs import InputError, find_paper

PAPERS: dict[str, str] = {
    "inductive-bias": "grok.claims.inductive_bias",
    "progress-measures": "grok.claims.progress_measures",
    "effective-theory": "grok.claims.effective_theory",
    "norm-growth": "grok.claims.norm_growth",
}
"""Papers that have claims, and the module with their ``CLAIMS``."""


def claims_of(paper: str) -> tuple[Claim, ...]:
    """All claims of a paper, by id.

    Args:
        paper: One of :data:`PAPERS`, with ``-`` or ``_``.

    Raises:
        InputError: If there is no such paper; lists those there are.
    """
    name = find_paper(paper, PAPERS, "claims")
    found: tuple[Claim, ...] = import_module(PAPERS[name]).CLAIMS
    return tuple(sorted(found, key=_in_order))


def _in_order(claim: Claim) -> tuple[str, int, str]:
    """Sorting key by which PM-C2 comes before PM-C10."""
    kind, number, part = re.fullmatch(r"(\D+)(\d+)(\D*)", claim.id).groups()  # type: ignore[union-attr]
    return kind, int(number), part


def select(paper: str, tiers: tuple[str, ...], only: tuple[str, ...] = ()) -> list[Claim]:
    """Claims of some tiers, or those asked for by id whatever their tier.

    Args:
        paper: As for :func:`claims_of`.
        tiers: Tiers, ``U``, ``S``, ``R``, ``F`` or ``hub``.
        only: Ids; ``IB-21`` stands for ``IB-21a`` and ``IB-21b``.

    Raises:
        InputError: If a tier or an id does not exist.
    """
    claims = claims_of(paper)
    if unknown := [tier for tier in tiers if tier not in SEEDS]:
        raise InputError(f"no tier {unknown[0]!r}; there are: {', '.join(SEEDS)}")
    if not only:
        return [claim for claim in claims if claim.tier in tiers]
    for name in only:
        if not any(_is_named(claim, name) for claim in claims):
            ids = ", ".join(claim.id for claim in claims)
            raise InputError(f"no claim {name!r}; there are: {ids}")
    return [claim for claim in claims if any(_is_named(claim, name) for name in only)]


def _is_named(claim: Claim, name: str) -> bool:
    return name in (claim.id, claim.id.rstrip("abcdef"))
