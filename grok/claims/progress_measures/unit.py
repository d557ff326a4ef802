"""PM-U1 to PM-U8: exact tests of the formulas, without a training run."""

from collections.abc import Iterator

from grok.claims.claim import Part, all_above, all_below, claim, equal
from grok.claims.evidence import Evidence

TINY = 1e-10
"""Rounding of float64 sums over p^3 numbers of order ten."""


@claim(
    id="PM-U1",
    tier="U",
    statement="The Fourier basis is orthonormal and its rows are the waves, for odd and even p",
    source="section 3.1",
    published="",
    check="progress_measures.pm_u1",
)
def basis(e: Evidence) -> Iterator[Part]:
    """PM-U1."""
    yield all_below("F F^T - 1", e.check("identity"), 1e-12)
    yield all_below("rows - unit waves", e.check("rows"), 1e-12)


@claim(
    id="PM-U2",
    tier="U",
    statement="Measures of logits that are a sum of cosines are the exact ones",
    source="sections 4.2, 5.1, C.2",
    published="",
    check="progress_measures.pm_u2",
)
def synthetic_logits(e: Evidence) -> Iterator[Part]:
    """PM-U2."""
    yield all_below("coefficients", e.check("alpha"), TINY)
    yield all_below("share explained - 1", e.check("share"), TINY)
    yield all_below("restricted loss - loss", e.check("restricted"), TINY)
    yield all_below("excluded loss - loss of the bias", e.check("excluded"), TINY)
    yield equal("frequencies that rule L has wrong", e.check("wrong_keys"), 0)


@claim(
    id="PM-U3",
    tier="U",
    statement="A component of a - b is kept by block2x2 and not by sum",
    source="section 5.1",
    published="",
    check="progress_measures.pm_u3",
)
def differences(e: Evidence) -> Iterator[Part]:
    """PM-U3."""
    yield all_below("sum: change", e.check("sum"), TINY)
    yield all_above("block2x2: change", e.check("block2x2"), 1)


@claim(
    id="PM-U4",
    tier="U",
    statement="The Gini coefficient is 0 for equal numbers, 1 - 1/n for one, and blind to scale",
    source="section 5.1; Hurley and Rickard",
    published="",
    check="progress_measures.pm_u4",
)
def inequality(e: Evidence) -> Iterator[Part]:
    """PM-U4."""
    for name in ("equal", "single", "scale"):
        yield all_below(name, e.check(name), 1e-12)


@claim(
    id="PM-U5",
    tier="U",
    statement="Restricted and excluded logits sum to the logits and each class's mean",
    source="section 5.1",
    published="",
    check="progress_measures.pm_u5",
)
def projections(e: Evidence) -> Iterator[Part]:
    """PM-U5."""
    yield all_below("difference", e.check("difference"), TINY)


@claim(
    id="PM-U6",
    tier="U",
    statement="Shifts of the elements change no measure, factors permute the frequencies",
    source="section 3.1",
    published="",
    check="progress_measures.pm_u6",
)
def symmetries(e: Evidence) -> Iterator[Part]:
    """PM-U6."""
    yield all_below("shift", e.check("shift"), TINY)
    yield all_below("multiply", e.check("multiply"), TINY)


@claim(
    id="PM-U7",
    tier="U",
    statement="A float64 loss sees what a float32 loss rounds to 0",
    source="appendix D.2, released code",
    published="112 e^-25 = 1.56e-9",
    check="progress_measures.pm_u7",
)
def rounding(e: Evidence) -> Iterator[Part]:
    """PM-U7."""
    # A logit of 25 has digits to 4e-15, of which 1.56e-9 keeps six.
    yield all_below("float64: relative error", e.check("float64"), 1e-5)
    yield equal("float32: loss", e.check("float32"), 0)


@claim(
    id="PM-U8",
    tier="U",
    statement="A network is the same in every layout of checkpoints",
    source="released code; TransformerLens; torch",
    published="",
    check="progress_measures.pm_u8",
)
def layouts(e: Evidence) -> Iterator[Part]:
    """PM-U8."""
    yield equal("change of a logit after a round trip", e.check("difference"), 0)
