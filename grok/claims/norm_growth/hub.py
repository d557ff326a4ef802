"""NG-A12 and NG-D1 to D3: models of Hugging Face, as they are initialised and as published."""

from collections.abc import Iterator

from grok.claims.claim import Part, all_above, all_near, claim, every, shown
from grok.claims.evidence import Evidence


@claim(
    id="NG-A12",
    tier="U",
    statement="T5 begins with the norm that its initialisation says: 305 for the encoder of "
    "T5-base, 88 for each layer",
    source="figure 1, step 0",
    published="304 and 87.8, read off",
    check="norm_growth_hub.ng_a12",
)
def initial_norm(e: Evidence) -> Iterator[Part]:
    """NG-A12."""
    for size, tolerance in (("base", 0.01), ("small", 0.05), ("tiny", 0.05)):
        what = f"T5-{size}: norm over expectation"
        yield all_near(f"{what}, encoder", e.check("encoder", size), 1, tolerance)
        yield all_near(f"{what}, layers", e.check("layer", size), 1, tolerance)


@claim(
    id="NG-D1",
    tier="hub",
    statement="Published models are more saturated than as they were initialised, T5 and RoBERTa "
    "far more than BERT",
    source="figure 2",
    published="last layer: T5 .915, RoBERTa .652 after .940, BERT .113",
    check="norm_growth_hub.ng_d1",
)
def published_saturation(e: Evidence) -> Iterator[Part]:
    """NG-D1."""
    t5, roberta = "t5-base/decoder", "roberta-base"
    yield every("T5-base, decoder", e.check("final", t5), "≥ 0.85", lambda x: x >= 0.85)
    final, before = (e.check(name, roberta) for name in ("final", "penultimate"))
    yield every("RoBERTa-base", final, "in [0.5, 0.75]", lambda x: 0.5 <= x <= 0.75)
    yield every("RoBERTa-base, layer before", before, "≥ 0.85", lambda x: x >= 0.85)
    bert = "bert-base-cased"
    yield every("BERT-base", e.check("final", bert), "≤ 0.3", lambda x: x <= 0.3)
    for name in (t5, roberta, bert):
        gain = e.check("final", name).paired(e.check("random", name))
        yield every(f"{name} - initial", gain, "≥ 0.05", lambda x: x >= 0.05)
    yield shown("T5-base, encoder", e.check("final", "t5-base/encoder"))
    yield shown("T5-small and GPT-2", e.check("shown"))


@claim(
    id="NG-D2",
    tier="hub",
    statement="The norm of another model of T5's kind grows like the root of the step",
    source="section 3.1",
    published="R² of the root 1.00, of T5-base",
    check="norm_growth_hub.ng_d2",
)
def published_growth(e: Evidence) -> Iterator[Part]:
    """NG-D2."""
    t5 = "EleutherAI/pile-t5-base"
    yield every("checkpoints", e.check("n", t5), "≥ 20", lambda x: x >= 20)
    yield every("R² of a √t + b", e.check("r2_sqrt", t5), "≥ 0.98", lambda x: x >= 0.98)
    for name, what in (("p", "free exponent"), ("alignment", "alignment of the last step")):
        yield shown(f"{what}, both series", e.check(name))
    yield shown("R² of a √t + b, Pythia", e.check("r2_sqrt", "EleutherAI/pythia"))


@claim(
    id="NG-D3",
    tier="hub",
    statement="The public T5-base, trained longer, has a larger norm than the paper's series ends "
    "with",
    source="figure 1, extrapolated",
    published="2,222 at step 524,288",
    check="norm_growth_hub.ng_d3",
)
def public_norm(e: Evidence) -> Iterator[Part]:
    """NG-D3."""
    yield all_above("norm of the encoder", e.check("norm"), 2222)
    yield shown("norms of the layers", e.check("layer"))
