"""NG-A1, A10, A11 and A13: what is exact about the growth of a norm, without a training run."""

from collections.abc import Iterator

from grok.claims.claim import Part, all_below, all_near, claim, equal, every
from grok.claims.evidence import Evidence
from grok.claims.sample import Sample


@claim(
    id="NG-A1",
    tier="U",
    statement="The squared norm grows by the sum of the squared updates and twice their products "
    "with the parameters, for every optimiser",
    source="section 3.2",
    published="",
    check="norm_growth.ng_a1",
)
def identity(e: Evidence) -> Iterator[Part]:
    """NG-A1."""
    yield equal("updates", e.check("updates"), 200)
    yield all_below("float32: residual / squared norm", e.check("residual", "float32"), 1e-5)
    yield all_below("float64: residual / squared norm", e.check("residual", "float64"), 1e-12)


@claim(
    id="NG-A10",
    tier="U",
    statement="The norm of T5 grows like the root of the step, by a fit that knows its exponent",
    source="section 3.1, figure 1",
    published="R² of the root 1.00",
    check="norm_growth.ng_a10",
)
def law(e: Evidence) -> Iterator[Part]:
    """NG-A10."""
    root, line = e.check("sqrt"), e.check("linear")
    yield every("R² of a √t + b", root, "in [0.997, 0.9985]", lambda x: 0.997 <= x <= 0.9985)
    yield every("R² of √t - R² of t", root.paired(line), "≥ 0.03", lambda x: x >= 0.03)
    slope = e.check("log_slope")
    yield every("log-log slope", slope, "in [0.41, 0.45]", lambda x: 0.41 <= x <= 0.45)
    yield all_near("exact root: R²", e.check("exact_r2"), 1, 1e-9)
    yield all_near("exact root: free exponent", e.check("exact_p"), 0.5, 1e-6)


@claim(
    id="NG-A11",
    tier="U",
    statement="Under T5's rates its norm follows from misaligned updates, not from aligned ones",
    source="section 3.2",
    published="√t from misaligned updates",
    check="norm_growth.ng_a11",
)
def dynamics(e: Evidence) -> Iterator[Part]:
    """NG-A11."""
    misaligned, aligned = e.check("misaligned"), e.check("aligned")
    yield every("R², misaligned", misaligned, "≥ 0.99", lambda x: x >= 0.99)
    square = e.check("kappa_squared")
    yield every("κ², misaligned", square, "in [0.75, 0.90]", lambda x: 0.75 <= x <= 0.90)
    gap = misaligned.paired(aligned)
    yield every("R², misaligned - aligned", gap, "≥ 0.1", lambda x: x >= 0.1)


@claim(
    id="NG-A13",
    tier="U",
    statement="The measures tell a random walk from growth along a ray",
    source="section 3.2",
    published="",
    check="norm_growth.ng_a13",
)
def walks(e: Evidence) -> Iterator[Part]:
    """NG-A13."""
    yield all_near("walk: misaligned share", e.check("share"), 1, 0.02)
    yield all_below("walk: |alignment|", _size(e.check("walk_alignment")), 0.02)
    yield all_near("walk: exponent of the growth of the square", e.check("exponent"), 1, 0.02)
    yield all_near("ray: alignment", e.check("ray_alignment"), 1, 1e-12)
    yield all_near("ray: direction cosine", e.check("ray_direction"), 1, 1e-12)
    yield all_below("ray: misaligned share", e.check("ray_share"), 0.02)


def _size(sample: Sample) -> Sample:
    return sample.map(abs)
