"""ET-A1 to ET-A7: data and linear algebra, without a training run."""

from collections.abc import Iterator, Mapping

from grok.claims.claim import (
    Part,
    all_below,
    all_near,
    at_least,
    at_most,
    claim,
    equal,
    ordered,
    shown,
    within,
)
from grok.claims.evidence import Evidence
from grok.claims.sample import Sample, number

NUMBER = {"4": 3, "5": 7, "6": 13, "8": 34, "10": 70, "12": 125, "15": 252, "20": 615}
"""Parallelograms of addition by p."""
EXAMPLE = {
    "nullity": (5, 4, 3, 2),
    "train": (1, 2, 3, 5),
    "implied": (1, 3, 7, 13),
    "right": (2, 4, 6, 8),
}
"""Appendix C, step by step."""


def _exactly(quantity: str, sample: Sample, values: Mapping[str, int]) -> Part:
    """Each case has the value of its own."""
    ours, bounds = (", ".join(map(number, x.values())) for x in (sample.values, values))
    return shown(quantity, sample)._replace(
        ours=ours, criterion=f"= {bounds}", holds=sample.values == values
    )


@claim(
    id="ET-A1",
    tier="U",
    statement="Addition has as many parallelograms as counted, their rank is p - 2, and the third "
    "eigenvalue of A^T A is p (p + 2) / 4 for even p",
    source="equation 1, section 3.2",
    published="70 at p = 10",
    check="effective_theory.et_a1",
)
def counts(e: Evidence) -> Iterator[Part]:
    """ET-A1."""
    yield _exactly("parallelograms", e.check("number"), NUMBER)
    yield _exactly("rank", e.check("rank"), {p: int(p) - 2 for p in NUMBER})
    yield all_below("third eigenvalue: relative error", e.check("eigenvalue"), 1e-9)


@claim(
    id="ET-A2",
    tier="U",
    statement="Four steps of added samples force the line on six symbols",
    source="appendix C",
    published="nullity 5, 4, 3, 2",
    check="effective_theory.et_a2",
)
def example(e: Evidence) -> Iterator[Part]:
    """ET-A2."""
    for name, values in EXAMPLE.items():
        steps = {str(step): value for step, value in enumerate(values, start=1)}
        yield _exactly(name, e.check(name), steps)


@claim(
    id="ET-A3",
    tier="U",
    statement="The number line is forced from a training fraction of about 0.4 on, p = 10",
    source="figure 4(a)",
    published="1/2 at r = 0.41",
    check="effective_theory.et_a3",
)
def critical(e: Evidence) -> Iterator[Part]:
    """ET-A3."""
    yield at_most("P(nullity 2), n = 16", e.check("probability", "16"), 0.02)
    yield within("P(nullity 2), n = 22", e.check("probability", "22"), 0.36, 0.52)
    yield within("P(nullity 2), n = 25", e.check("probability", "25"), 0.74, 0.86)
    yield at_least("P(nullity 2), n = 30", e.check("probability", "30"), 0.95)
    yield within("fraction at 1/2", e.check("r_half"), 0.38, 0.45)


@claim(
    id="ET-A4",
    tier="U",
    statement="The grokking rate rises with the training fraction, and is 0 below the critical one",
    source="figure 5(a)",
    published="0 below 0.4, then rising",
    check="effective_theory.et_a4",
)
def rates(e: Evidence) -> Iterator[Part]:
    """ET-A4."""
    for normalization in ("sum", "mean"):
        means = {f"n={n}": x for n, x in e.check(normalization).values.items()}
        yield ordered(f"mean lambda_3 ({normalization})", means)
    yield equal("median lambda_3, n = 15", e.check("median"), 0)


@claim(
    id="ET-A5",
    tier="U",
    statement="The effective flow keeps norm and zero sum, and its third mode falls by lambda_3",
    source="section 3.3, appendix F",
    published="",
    check="effective_theory.et_a5",
)
def trajectories(e: Evidence) -> Iterator[Part]:
    """ET-A5."""
    yield all_below("drift of the squared norm", e.check("norm"), 1e-6)
    yield all_below("drift of the sum", e.check("total"), 1e-8)
    yield all_below("closed form - integrator", e.check("closed"), 1e-4)
    yield all_near("slope / -lambda_3", e.check("slope"), 1, 0.02)


@claim(
    id="ET-A6",
    tier="U",
    statement="The theory's trajectory from seed 9 is that of figure 4(c)",
    source="figure 4(c)",
    published="on the line near step 1,667",
    check="effective_theory.et_a6",
)
def figure(e: Evidence) -> Iterator[Part]:
    """ET-A6."""
    yield all_below("distance from the curves", e.check("distance"), 0.005)
    yield within("step of RQI > 0.95", e.check("step"), 1500, 1750)


@claim(
    id="ET-A7",
    tier="U",
    statement="About a third of the splits of 45 and 10 allow for a validation accuracy of 1",
    source="not in the paper: sections 3.2 and 4.1",
    published="",
    check="effective_theory.et_a7",
)
def splits(e: Evidence) -> Iterator[Part]:
    """ET-A7."""
    yield within("share with 10/10", e.check("share"), 0.32, 0.40)
