"""NG-B1 to B5: what growing along a ray does to random networks, forward passes alone."""

from collections.abc import Iterator

from grok.claims.claim import (
    Part,
    all_above,
    at_least,
    claim,
    every,
    shown,
    within,
)
from grok.claims.evidence import Evidence
from grok.claims.sample import Sample


@claim(
    id="NG-B1",
    tier="U",
    statement="Networks turn to their saturated one as the parameters grow, with norms on what "
    "sublayers add sooner than with norms on the stream",
    source="figure 4, toy networks",
    published="",
    check="norm_growth_random.ng_b1",
)
def curves(e: Evidence) -> Iterator[Part]:
    """NG-B1."""
    yield all_above("rise from one c to the next", e.check("rise"), -0.01)
    yield all_above("sublayer_ln - post_ln, c up to 5", e.check("lead"), 0)
    yield at_least("sublayer_ln, c = 2", e.check("cosine", "sublayer_ln/2/"), 0.94)
    yield at_least("sublayer_ln, c = 4", e.check("cosine", "sublayer_ln/4/"), 0.99)
    yield within("pre_ln, c = 2", e.check("cosine", "pre_ln/2/"), 0.45, 0.65)
    yield at_least("pre_ln, c = 8", e.check("cosine", "pre_ln/8/"), 0.93)
    yield within("post_ln, c = 2", e.check("cosine", "post_ln/2/"), 0.2, 0.45)
    yield at_least("post_ln, c = 8", e.check("cosine", "post_ln/8/"), 0.86)


@claim(
    id="NG-B2",
    tier="U",
    statement="So do networks of the paper's size; the published curve is of the released mask",
    source="figure 4",
    published="c = 1: .73 and .71 pre-norm, .08 and .10 post-norm; c = 10: .96 to .98",
    check="norm_growth_random.ng_b2",
)
def paper_size(e: Evidence) -> Iterator[Part]:
    """NG-B2."""
    pre, post = "sublayer_ln", "post_ln"
    yield _in("released mask: pre-norm, c = 1", e.check("released", f"{pre}/1/"), 0.65, 0.80)
    above, below = (_by_seed(e.check("right", f"{name}/1/")) for name in (pre, post))
    yield shown("right mask: pre-norm, c = 1", above)
    yield all_above("right mask: pre-norm - post-norm, c = 1", above.paired(below), 0)
    for mask in ("released", "right"):
        yield _up_to(f"{mask} mask: post-norm, c = 1", e.check(mask, f"{post}/1/"), 0.2)
        for name, who in ((pre, "pre-norm"), (post, "post-norm")):
            cosines = e.check(mask, f"{name}/10/")
            yield _from(f"{mask} mask: {who}, c = 10", cosines, 0.93)


@claim(
    id="NG-B3",
    tier="U",
    statement="Biases keep a network from its saturated one",
    source="ours; the paper remarks that they hardly matter",
    published="",
    check="norm_growth_random.ng_b3",
)
def biases(e: Evidence) -> Iterator[Part]:
    """NG-B3."""
    lead = e.check("lead")
    yield shown("cosine at c = 8 without biases - with them", lead)
    n_higher = sum(x > 0 for x in lead.values.values())
    yield at_least("seeds of six in which it is higher without", n_higher, 5)


@claim(
    id="NG-B4",
    tier="U",
    statement="Random networks are unsaturated, but for norms on what sublayers add",
    source="figure 2, section 4.1",
    published="random models about 0, T5 .36 to .44",
    check="norm_growth_random.ng_b4",
)
def at_the_start(e: Evidence) -> Iterator[Part]:
    """NG-B4."""
    for name in ("pre_ln", "post_ln", "no_ln"):
        yield _up_to(name, e.check("saturation", name), 0.35)
    yield _in("sublayer_ln", e.check("saturation", "sublayer_ln"), 0.7, 0.9)


@claim(
    id="NG-B5",
    tier="U",
    statement="With all parameters times 30 every placement is saturated, with biases or without",
    source="propositions 1 and 2",
    published="",
    check="norm_growth_random.ng_b5",
)
def scaled_up(e: Evidence) -> Iterator[Part]:
    """NG-B5."""
    for name in ("sublayer_ln", "pre_ln", "post_ln", "no_ln"):
        for case in (name, f"{name}, biases"):
            yield at_least(case, e.check("saturation", f"{case}/"), 0.95)


def _in(quantity: str, sample: Sample, low: float, high: float) -> Part:
    return every(quantity, sample, f"in [{low:g}, {high:g}]", lambda x: low <= x <= high)


def _up_to(quantity: str, sample: Sample, bound: float) -> Part:
    return every(quantity, sample, f"≤ {bound:g}", lambda x: x <= bound)


def _from(quantity: str, sample: Sample, bound: float) -> Part:
    return every(quantity, sample, f"≥ {bound:g}", lambda x: x >= bound)


def _by_seed(sample: Sample) -> Sample:
    """The values by the last part of their cases."""
    return Sample({case.rpartition("/")[2]: x for case, x in sample.values.items()})
