"""NG-A2, A3, A4 and A6b: degrees of networks and of their components, without a training run."""

from collections.abc import Iterator

from grok.claims.claim import Part, all_below, all_near, claim
from grok.claims.evidence import Evidence
from grok.claims.sample import Sample


@claim(
    id="NG-A2",
    tier="U",
    statement="A ReLU perceptron of k layers without biases is homogeneous of degree k",
    source="section 3, after Li and Arora",
    published="",
    check="norm_growth_homogeneity.ng_a2",
)
def perceptrons(e: Evidence) -> Iterator[Part]:
    """NG-A2."""
    yield all_below("relative error of f(c theta) = c^k f(theta)", e.check("error"), 1e-12)
    yield all_below("Euler degree - k", _gap(e.check("degree")), 1e-10)


@claim(
    id="NG-A3",
    tier="U",
    statement="theta . grad L is k times the mean of (expected - right logit)",
    source="version 1 of the paper; Euler's identity",
    published="",
    check="norm_growth_homogeneity.ng_a3",
)
def gradients(e: Evidence) -> Iterator[Part]:
    """NG-A3."""
    yield all_below("relative difference", e.check("difference"), 1e-10)


@claim(
    id="NG-A4",
    tier="U",
    statement="Each component adds to the degree what table 1 says",
    source="table 1, after Li and Arora; attention block by its rules",
    published="",
    check="norm_growth_homogeneity.ng_a4",
)
def components(e: Evidence) -> Iterator[Part]:
    """NG-A4."""
    for name, what in (
        ("exact", "components: degree - table 1"),
        ("limit", "saturating components, large pre-activations: degree - table 1"),
        ("block", "attention block: degree - table 1"),
    ):
        yield all_below(what, _gap(e.check(name)), 1e-6)


@claim(
    id="NG-A6b",
    tier="U",
    statement="Logits of a one-layer network without norms on addition mod 113 reach degree 6",
    source="table 1: 2 + 4 L for L layers",
    published="6",
    check="norm_growth_homogeneity.ng_a6b",
)
def leading_degree(e: Evidence) -> Iterator[Part]:
    """NG-A6b."""
    yield all_near("Euler degree at c = 30", e.check("degree"), 6.0, 0.01)


def _gap(degrees: Sample) -> Sample:
    """Distance of each degree from the one that its case ends in."""
    return Sample({c: abs(x - float(c.rpartition("/")[2])) for c, x in degrees.values.items()})
