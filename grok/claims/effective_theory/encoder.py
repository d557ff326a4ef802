"""ET-D4: dropout, in the transformer of section 4.2, small."""

import math
from collections.abc import Iterator

from grok.claims.claim import Arm, Part, at_most, claim, every, shown
from grok.claims.effective_theory.arms import t_acc
from grok.claims.evidence import ArmEvidence, Evidence
from grok.claims.sample import Sample

SEEDS = (1, 2, 3)
"""Seeds of the published sweep."""


def _dropout(rate: float) -> Arm:
    flags = (f"--toy.dropout={rate}",)
    return Arm(sweep="effective_theory/encoder_dropout_small", flags=flags, n_steps=5000)


@claim(
    id="ET-D4",
    tier="R",
    seeds=SEEDS,
    statement="Dropout in the decoder shortens the delay of generalisation (encoder, mod 23)",
    source="section 4.2, figure 7, centre",
    published="with strong dropout both accuracies are 99 % within 1,000 steps",
    arms={f"dropout {rate}": _dropout(rate) for rate in (0.0, 0.4)},
)
def dropout(e: Evidence) -> Iterator[Part]:
    """ET-D4; steps to accuracy 0.9, as in section 4.1: the small encoder is slow to reach 0.99.

    A run that does not generalise has at least the delay that is left of its steps.
    """
    for name, arm in e.arms.items():
        yield every(f"{name}: step of train", t_acc(arm, "train"), "reached", math.isfinite)
        yield shown(f"{name}: step of test", t_acc(arm, "test"))
    ratio = _delay(e["dropout 0.4"]).median / _delay(e["dropout 0.0"]).median
    yield at_most("median delay, dropout 0.4 over 0", ratio, 0.5)


def _delay(arm: ArmEvidence) -> Sample:
    """Steps from training to test accuracy 0.9, at least; NaN where either is not known."""
    train, test = (t_acc(arm, split).values for split in ("train", "test"))
    return Sample({seed: min(test[seed], arm.n_steps) - train[seed] for seed in train})
