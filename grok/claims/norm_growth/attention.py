"""NG-A7 to A9: how softmax saturates, statistics of heads, and what a mask hides."""

from collections.abc import Iterator

from grok.claims.claim import Part, all_above, all_below, all_near, claim, equal
from grok.claims.evidence import Evidence


@claim(
    id="NG-A7",
    tier="U",
    statement="Softmax of c a leaves S / (m + S) to the losers: it saturates as the gap says",
    source="lemma of section 3, made exact",
    published="",
    check="norm_growth_attention.ng_a7",
)
def softmax(e: Evidence) -> Iterator[Part]:
    """NG-A7."""
    yield all_below("formula - softmax", e.check("difference"), 1e-12)
    yield all_near("rate over smallest gap", e.check("rate"), 1, 0.01)


@claim(
    id="NG-A8",
    tier="U",
    statement="Statistics of heads are right where they are known; the published mode is a mask's",
    source="figure 3 and released code",
    published="mode at 41.012 positions, split probability .976, of sequences of 83",
    check="norm_growth_attention.ng_a8",
)
def heads(e: Evidence) -> Iterator[Part]:
    """NG-A8."""
    yield all_near("causal mean head of 83: positions", e.check("n", "mean head"), 42.0, 5e-5)
    yield all_near("split probability", e.check("split", "mean head"), 0.9880, 5e-5)
    yield all_near("share of the visible", e.check("frac"), 1, 1e-12)
    yield equal("one-hot head: positions", e.check("n", "one-hot"), 1)
    yield equal("split probability", e.check("split", "one-hot"), 0)
    yield equal("ties of three: positions", e.check("n", "ties of three"), 3)
    leaky = "mask that multiplies"
    yield all_near(f"{leaky}: positions", e.check("n", leaky), 41.0120, 5e-5)
    yield all_near("split probability", e.check("split", leaky), 0.9759, 5e-5)
    yield all_near("its weight on the future", e.check("leak", leaky), 82 / 83, 1e-12)
    yield equal("weight on the future with a right mask", e.check("leak", "mask of"), 0)


@claim(
    id="NG-A9",
    tier="U",
    statement="No position sees a later token, as trained or saturated",
    source="section 4; the released mask lets it",
    published="",
    check="norm_growth_attention.ng_a9",
)
def mask(e: Evidence) -> Iterator[Part]:
    """NG-A9."""
    yield all_below("change of logits before a token / largest logit", e.check("before"), 1e-6)
    # Saturated, a token may hardly move what is read at its own position.
    yield all_above("at the token, as trained", e.check("at", "soft/"), 1e-6)
    yield equal("weight on later positions", e.check("leak"), 0)
