"""NG-A2 to A6: degrees of networks and of their components, without a training run."""

from collections.abc import Iterator

from grok.claims.claim import Part, all_above, all_below, all_near, at_most, claim
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
    id="NG-A5",
    tier="U",
    statement="LayerNorm on what sublayers add makes a network without biases homogeneous but for "
    "an error that falls exponentially; biases and other placements do not",
    source="definition 3, appendix D",
    published="",
    check="norm_growth_degrees.ng_a5",
)
def approximate(e: Evidence) -> Iterator[Part]:
    """NG-A5."""
    yield all_above("error at scale 1", e.check("error", "sublayer_ln/1/"), 0.3)
    yield at_most("error at scale 16", e.check("error", "sublayer_ln/16/"), 1e-6)
    yield all_below("error at scale 64", e.check("error", "sublayer_ln/64/"), 1e-12)
    with_biases = e.check("error", "sublayer_ln, biases/16/")
    yield all_above("with biases, scale 16", with_biases, 1e-3)
    for name in ("pre_ln", "post_ln"):
        yield all_above(f"{name}, scale 16", e.check("error", f"{name}/16/"), 0.03)


@claim(
    id="NG-A6",
    tier="U",
    statement="Without norms the stream of L layers reaches degree 1 + 4 L and its logits 2 + 4 L, "
    "6 on addition mod 113",
    source="table 1",
    published="",
    check="norm_growth_degrees.ng_a6",
)
def leading_degree(e: Evidence) -> Iterator[Part]:
    """NG-A6."""
    yield all_below("stream: local degree - (1 + 4 L)", _gap(e.check("stream")), 0.05)
    yield all_below("logits: local degree - (2 + 4 L)", _gap(e.check("logits")), 0.05)
    yield all_near("addition mod 113: Euler degree at c = 30", e.check("addition"), 6.0, 0.01)


def _gap(degrees: Sample) -> Sample:
    """Distance of each degree from the one that its case ends in."""
    return Sample({c: abs(x - float(c.rpartition("/")[2])) for c, x in degrees.values.items()})
