"""NG-C7 to C9: saturation of language models, kinds of their heads, and counting."""

from collections.abc import Iterable, Iterator

import numpy as np

from grok.claims.claim import Arm, Part, all_below, at_least, claim, equal, shown
from grok.claims.evidence import ArmEvidence, Evidence, NotRun, common
from grok.claims.norm_growth.arms import NORM, PLACEMENTS, placed
from grok.claims.sample import Sample, rank_correlation

SATURATION = (
    "--measures.saturation.enabled=true",
    "--measures.saturation.schedule.every=200",
    "--measures.saturation.n_examples=32",
)
"""Eleven readings in float64, of 32 windows of each part."""

N_LAYERS, N_HEADS = 2, 4
HEADS = [f"{layer}/{head}" for layer in range(N_LAYERS) for head in range(N_HEADS)]

MOST_VISIBLE = (64 + 1) / 2
"""Positions that a head of a causal network of 64 can attend to, in the mean over its queries."""


@claim(
    id="NG-C7",
    tier="S",
    statement="Saturation rises with the norm under AdamW, in models that have learned something",
    source="section 4.1",
    published="0.47 to 1.00 for sublayer_ln; 0.06 to 1.00 for post_ln, which had collapsed",
    arms={name: placed(name, *SATURATION) for name in PLACEMENTS},
)
def saturation(e: Evidence) -> Iterator[Part]:
    """NG-C7, on pre_ln; nothing is judged where one of its runs is no better than frequencies."""
    _refuse_collapsed(e["pre_ln"])
    for name, arm in e.arms.items():
        rise, rank = _rise(arm), _rank(arm)
        if name == "pre_ln":
            yield at_least(f"{name}: sat/final at the end less that at first", rise, 0.1)
            yield at_least(f"{name}: rank correlation of sat/final with the norm", rank, 0.7)
        else:
            yield shown(f"{name}: sat/final at the end less that at first", rise)
            yield shown(f"{name}: rank correlation of sat/final with the norm", rank)
        yield shown(f"{name}: sat/final at the end", arm.last("sat/final"))
        yield shown(f"{name}: test loss less that of frequencies", _advantage(arm))


def _advantage(arm: ArmEvidence) -> Sample:
    """Test loss less that of a prediction by frequency: negative unless the model collapsed."""
    return arm.last("loss/test").paired(arm.last("loss/unigram/test"))


def _refuse_collapsed(arm: ArmEvidence) -> None:
    for seed, value in _advantage(arm).values.items():
        if not value < 0:
            key = arm.runs[seed].key
            raise NotRun(f"{key} is no better than frequencies: its saturation says nothing")


def _rise(arm: ArmEvidence) -> Sample:
    return arm.last("sat/final").paired(arm.at("sat/final", 0))


def _rank(arm: ArmEvidence) -> Sample:
    """Rank correlation of saturation and norm over the steps at which both were read."""
    arm.last("sat/final")
    pairs = {s: common(arm.series("sat/final", s), arm.series(NORM, s)) for s in arm.runs}
    return Sample({s: rank_correlation(x, y) for s, (_, x, y) in pairs.items()})


@claim(
    id="NG-C8",
    tier="S",
    statement="With a right mask heads attend to what they may see, and each is of one kind",
    source="section 4.2, figure 3",
    published="of 144 heads 64 near one position and 61 to 70 near 41, the mode of a leaking mask",
    arms={name: placed(name) for name in PLACEMENTS},
)
def heads(e: Evidence) -> Iterator[Part]:
    """NG-C8; shares of the kinds are shown and not judged, the mask is."""
    for name, arm in e.arms.items():
        most = _largest(arm, "attn/n_mean", HEADS)
        yield all_below(f"{name}: most positions of a head, in the mean", most, MOST_VISIBLE + 1e-6)
        yield equal(
            f"{name}: weight on later positions", _largest(arm, "attn/leak", range(N_LAYERS)), 0
        )
        for kind in ("argmax", "mean", "mixed"):
            keys = [f"attn/num_{kind}/{layer}" for layer in range(N_LAYERS)]
            counts = [arm.last(key).values for key in keys]
            share = {s: sum(x[s] for x in counts) / (N_LAYERS * N_HEADS) for s in arm.runs}
            yield shown(f"{name}: share of {kind} heads", Sample(share))


def _largest(arm: ArmEvidence, name: str, places: Iterable[str | int]) -> Sample:
    """Largest value over heads, or over layers; NaN if one is."""
    each = [arm.last(f"{name}/{place}").values for place in places]
    return Sample({s: float(np.max([x[s] for x in each])) for s in arm.runs})


def _majority(positions: str) -> Arm:
    flags = (f"--model.positions={positions}",)
    return Arm(sweep="norm_growth/majority_positions", flags=flags, n_steps=1000)


@claim(
    id="NG-C9",
    tier="S",
    statement="One layer without positions learns MAJORITY and counts in longer strings too",
    source="section 5; Merrill, Sabharwal and Smith 2022",
    published="generalises best without positions, then with learned ones",
    arms={"none": _majority("none"), "learned": _majority("learned")},
)
def majority(e: Evidence) -> Iterator[Part]:
    """NG-C9; strings of 50 bits in the mean train, those of n = 200 have 100."""
    longer = "acc/tosses/200/test"
    yield at_least("no positions: accuracy at n = 100", e["none"].last("acc/test"), 0.95)
    yield at_least("no positions: accuracy at n = 200", e["none"].last(longer), 0.9)
    yield shown("no positions: accuracy at n = 500", e["none"].last("acc/tosses/500/test"))
    for n, key in ((100, "acc/test"), (200, longer), (500, "acc/tosses/500/test")):
        yield shown(f"learned positions: accuracy at n = {n}", e["learned"].last(key))
