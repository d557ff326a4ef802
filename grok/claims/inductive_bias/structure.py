"""Attention, Fourier structure and commutativity by placement (figures 2b, 2c, 3c)."""

from collections.abc import Iterator

from grok.claims.claim import Part, at_least, at_most, claim, ordered, shown, within
from grok.claims.evidence import ArmEvidence, Evidence
from grok.claims.inductive_bias.arms import full, layernorm
from grok.claims.sample import Sample


def mirror_fraction(arm: ArmEvidence) -> Sample:
    """Share of the test pairs whose mirror is trained on, of each seed's split."""
    from grok.data.pairs import mirrored, pair_data

    return Sample(
        {
            seed: float(mirrored(pair_data(run.config.data)).double().mean())
            for seed, run in arm.runs.items()
        }
    )


@claim(
    id="IB-20",
    tier="S",
    statement="LN on queries and keys lowers the entropy of attention",
    source="fig. 3c",
    published="A^qk 0.621, No LN 0.864, A^v 0.969, M 1.0986",
    arms={
        "No LN": layernorm("none", 2000),
        **{name: layernorm(name, 2000) for name in ("A^qk", "M", "A^v")},
    },
)
def entropy(e: Evidence) -> Iterator[Part]:
    """IB-20."""
    at = {name: arm.at("attn/entropy/0", 2000) for name, arm in e.arms.items()}
    yield at_most("A^qk: entropy at 2,000", at["A^qk"], 0.72)
    yield within("No LN: entropy at 2,000", at["No LN"], 0.75, 0.95)
    yield at_least("No LN - A^qk, paired seeds", at["No LN"].paired(at["A^qk"]), 0.12)
    yield at_least("M: entropy at 2,000", at["M"], 1.09)
    yield at_least("A^v: entropy at 2,000", at["A^v"], 0.92)


@claim(
    id="IB-21a",
    tier="S",
    statement="Fourier structure of the embedding appears early with M",
    source="fig. 2b, 2c",
    published="M crosses 1 at 1,800 (1,600 to 1,800); No LN 0.278 [0.220, 0.374] at 2,000",
    arms={"M": layernorm("M", 2000), "No LN": layernorm("none", 2000)},
)
def fourier_early(e: Evidence) -> Iterator[Part]:
    """IB-21, first part."""
    yield at_most("M: step of C_Fourier 1", e["M"].reached("fourier/c", 1.0), 2000)
    yield at_most("No LN: C_Fourier at 2,000", e["No LN"].at("fourier/c", 2000), 0.45)


@claim(
    id="IB-21b",
    tier="F",
    statement="Fourier structure appears in the order of generalisation",
    source="fig. 2c",
    published="M 1,800, M+A* 2,600, A* 5,400, No LN 6,200",
    arms=full("M", "M+A*", "A*", "No LN"),
)
def fourier_order(e: Evidence) -> Iterator[Part]:
    """IB-21, second part."""
    names = ("M", "M+A*", "A*", "No LN")
    mean = {name: e[name].mean_reached("fourier/c", 1.0) for name in names}
    yield ordered("step at which the mean C_Fourier reaches 1", mean)
    for name in names:
        yield shown(f"{name}: step of C_Fourier 1", e[name].reached("fourier/c", 1.0))
    for name in ("No LN", "M+A*", "M"):
        last = e[name].last("fourier/c")
        yield at_least(f"{name}: mean C_Fourier at 10,000", last.mean, 1.5)


@claim(
    id="IB-33",
    tier="S",
    statement="The plateau before generalisation is learnt commutativity",
    source="new; fig. 2a",
    published="test accuracy 0.306 [0.301, 0.314] at 200; mirror fractions 0.297 to 0.309",
    arms={"M": layernorm("M", 200)},
)
def commutativity(e: Evidence) -> Iterator[Part]:
    """IB-33."""
    gap = e["M"].at("acc/test", 200).paired(mirror_fraction(e["M"]))
    yield at_most("|test accuracy - mirror fraction| at 200", gap.map(abs), 0.02)
    yield at_least("accuracy on mirrored pairs", e["M"].at("acc/test_mirrored", 200), 0.9)
    yield at_most("accuracy on unmirrored pairs", e["M"].at("acc/test_unmirrored", 200), 0.1)
