"""ET-A8: the phases of the published diagrams, from their steps."""

from collections.abc import Iterator

from grok.claims.claim import Part, claim, equal
from grok.claims.evidence import Evidence

PHASES = ("comprehension", "grokking", "memorization", "confusion", "other", "undecided")
"""Order of the counts."""

COUNTS = {
    "fig6a": (29, 31, 109, 0, 0, 0),
    "fig6b": (17, 60, 60, 39, 0, 0),
    "fig6c": (30, 85, 50, 11, 0, 0),
    "fig6d": (73, 31, 62, 10, 0, 0),
    "coarse": (17, 16, 49, 39, 0, 0),
    "fine": (4, 97, 10, 10, 0, 0),
    "fig5a": (14, 10, 64, 12, 0, 0),
    "fig5b": (12, 18, 49, 31, 0, 0),
    "fig5c": (19, 5, 60, 25, 1, 0),
    "fig5d": (64, 4, 29, 13, 0, 0),
}
"""Cells in each phase, in the order of :data:`PHASES`, counted on the released arrays."""


@claim(
    id="ET-A8",
    tier="U",
    statement="The criterion finds the phases of the published diagrams in their steps",
    source="table of the phases, figure 6; released arrays",
    published="counts of ten diagrams, maps of four",
    check="effective_theory_phases.et_a8",
)
def phase_counts(e: Evidence) -> Iterator[Part]:
    """ET-A8."""
    for panel, published in COUNTS.items():
        yield _same_counts(e, panel, published)
    yield equal("cells that differ from the printed map", e.check("differs"), 0)
    yield equal("edges on the wrong side", e.check("wrong"), 0)


def _same_counts(e: Evidence, panel: str, published: tuple[int, ...]) -> Part:
    """Whether a diagram has exactly the published number of cells in every phase."""
    ours = {phase: e.check(phase).values.get(panel, float("nan")) for phase in PHASES}
    return Part(
        quantity=f"{panel}: cells in {', '.join(PHASES)}",
        ours=", ".join(f"{n:g}" for n in ours.values()),
        criterion="= " + ", ".join(map(str, published)),
        holds=tuple(ours.values()) == published,
        seeds=ours,
    )
