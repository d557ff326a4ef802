"""The Fourier circuit of a network that has generalised (sections 4 and 5, appendix C.1).

Bounds stem from nine published models of addition mod 113 or 118 with weight decay 1. Tier S reads
the medium preset (40 % of the pairs, 5,000 steps), tier F the mainline run.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

from grok.claims.claim import Claim, Part, above, at_least, at_most, claim, shown, within
from grok.claims.evidence import ArmEvidence, Evidence
from grok.claims.progress_measures.arms import (
    FIVE,
    ONE,
    THREE,
    keys_of,
    mainline,
    medium,
    small,
    uniform,
)
from grok.claims.sample import Sample

Judge = Callable[[ArmEvidence], Iterator[Part]]


def _both(number: int, statement: str, source: str, published: str, judge: Judge) -> list[Claim]:
    """The same criterion on the medium preset (a) and on the mainline run (b)."""

    def of(e: Evidence) -> Iterator[Part]:
        (arm,) = e.arms.values()
        return judge(arm)

    text = {"source": source, "published": published}
    return [
        claim(
            id=f"PM-C{number}a",
            tier="S",
            seeds=ONE,
            statement=f"{statement} (40 % of the pairs)",
            arms={"medium": medium()},
            **text,
        )(of),
        claim(
            id=f"PM-C{number}b",
            tier="F",
            seeds=FIVE,
            statement=statement,
            arms=mainline(),
            **text,
        )(of),
    ]


def _difference(arm: ArmEvidence, key: str, other: str) -> Sample:
    return arm.last(key).paired(arm.last(other))


def _key_text(arm: ArmEvidence) -> Part:
    sets = keys_of(arm)
    text = "; ".join(f"seed {seed}: {', '.join(map(str, k))}" for seed, k in sets.items())
    return Part("key frequencies", text, "", None)


def sparse(arm: ArmEvidence) -> Iterator[Part]:
    """PM-C10."""
    yield within("number of key frequencies", arm.last("progress/n_keys"), 2, 9)
    yield at_least("share of W_L's power in them", arm.last("progress/power_in_keys"), 0.97)
    yield _key_text(arm)


def low_rank(arm: ArmEvidence) -> Iterator[Part]:
    """PM-C12."""
    yield at_most("W_L outside the key waves / W_L", arm.last("progress/outside_keys"), 0.12)
    yield at_least("singular value 2K / the next", arm.last("progress/rank_gap"), 5)


def cosines(arm: ArmEvidence) -> Iterator[Part]:
    """PM-C13."""
    yield at_least("variance explained, row-centred", arm.last("progress/fve/row_centred"), 0.93)
    sets = keys_of(arm)
    alphas = {
        k: arm.last(f"progress/alpha/{k}").values
        for k in sorted({k for s in sets.values() for k in s})
    }
    # Of no key it is 0, which is not above 0. NumPy's minimum keeps NaN, Python's may not.
    least = {
        seed: float(np.min([alphas[k][seed] for k in ks], initial=math.inf)) if ks else 0.0
        for seed, ks in sets.items()
    }
    yield above("smallest coefficient of a key", Sample(least), 0)
    loss = _difference(arm, "progress/restricted/cube/all", "loss/all")
    yield at_most("loss of the sum of cosines - loss", loss, 0)
    yield shown("loss of the sum of cosines", arm.last("progress/restricted/cube/all"))


def neurons(arm: ArmEvidence) -> Iterator[Part]:
    """PM-C14."""
    d_mlp = next(iter(arm.runs.values())).config.model.d_mlp
    share = arm.last("progress/neurons_over_85").map(lambda n: n / d_mlp)
    yield at_least("share of neurons with one frequency (> 85 %)", share, 0.6)


def read_out(arm: ArmEvidence) -> Iterator[Part]:
    """PM-C15."""
    yield at_least(
        "least variance explained of a direction", arm.last("progress/read_out_min"), 0.85
    )


def restriction_helps(arm: ArmEvidence) -> Iterator[Part]:
    """PM-C16."""
    gap = _difference(arm, "progress/restricted/sum/all", "loss/all")
    yield at_most("restricted loss - loss", gap, 0)
    yield shown("restricted loss", arm.last("progress/restricted/sum/all"))
    yield shown("loss", arm.last("loss/all"))


def null_space(arm: ArmEvidence) -> Iterator[Part]:
    """PM-C17."""
    yield at_least(
        "loss without the read-out directions", arm.last("ablation/A6"), 0.8 * uniform(arm)
    )


def attention(arm: ArmEvidence) -> Iterator[Part]:
    """PM-C18."""
    n_heads = next(iter(arm.runs.values())).config.model.n_heads
    heads = [arm.last(f"progress/attention_fve/{head}").values for head in range(n_heads)]
    each = {seed: np.array([head[seed] for head in heads]) for seed in arm.runs}
    n_good = {
        s: float((x >= 0.85).sum()) if not np.isnan(x).any() else math.nan for s, x in each.items()
    }
    yield at_least("heads with one frequency (≥ 85 %)", Sample(n_good), n_heads / 2)


END: list[Claim] = [
    *_both(
        10,
        "The read-out uses a handful of frequencies",
        "section 4.1, 4.2, table 5",
        "5 keys: 14, 35, 41, 42, 52; 2 to 9 over all models, ≥ 99 % of the power",
        sparse,
    ),
    *_both(
        12,
        "The neuron-to-logit map has rank twice the number of keys",
        "section 4.2",
        "rank ≈ 10; rest < 0.55 %; gap 6 to 270 over models",
        low_rank,
    ),
    *_both(
        13,
        "Logits are a sum of cosines of a + b - c",
        "section 4.2",
        "95 % explained; loss 4.7e-8 against 2.4e-7",
        cosines,
    ),
    *_both(
        14,
        "Most neurons are functions of one frequency",
        "section 4.3",
        "433 of 512; 325 to 504 over models",
        neurons,
    ),
    *_both(
        15,
        "Along each read-out direction the neurons are a wave of a + b",
        "section 4.2, table 1",
        "93.2 to 98.2 %",
        read_out,
    ),
    *_both(
        16,
        "Restricting the logits to the key frequencies lowers the loss",
        "section 4.4",
        "5.54e-8 against 2.41e-7",
        restriction_helps,
    ),
    *_both(
        17,
        "Without the read-out directions the neurons are worse than nothing",
        "section 4.4",
        "5.27; 4.1 to 8.9 over models",
        null_space,
    ),
    *_both(
        18,
        "Attention is periodic in the numbers",
        "appendix C.1.2, table 2",
        "99.0, 98.5, 99.1, 97.9 % for the four heads",
        attention,
    ),
]


@claim(
    id="PM-C11",
    tier="S",
    seeds=THREE,
    statement="The key frequencies depend on the seed (mod 53)",
    source="appendix C.2.1",
    published="{14, 35, 41, 42, 52}, {2, 9, 19, 31}, {40, 44, 53}, {31, 45, 49, 52}",
    arms={"small": small()},
)
def keys_differ(e: Evidence) -> Iterator[Part]:
    """PM-C11."""
    sets = keys_of(e["small"])
    yield at_least("different key sets", float(len(set(sets.values()))), 2)
    yield at_least(
        "smallest number of keys", Sample({s: float(len(k)) for s, k in sets.items()}), 1
    )
    yield _key_text(e["small"])
