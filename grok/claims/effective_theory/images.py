"""ET-D5 to D8: images, where the scale of the initial parameters makes a network grok."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from grok.claims.claim import (
    Arm,
    Part,
    above,
    all_above,
    all_below,
    at_most,
    claim,
    ordered,
    shown,
    within,
)
from grok.claims.effective_theory.arms import slope
from grok.claims.evidence import ArmEvidence, Evidence
from grok.claims.sample import Sample

SIXTY = 0.6
"""Accuracy that counts as reached on images (figure 8)."""

DECIDED = ("--stop.when=decided", f"--stop.accuracy={SIXTY}")
"""A run is followed until both accuracies are reached."""


def _mnist(decay: float, n_steps: int, *flags: str) -> Arm:
    flags = (f"--optim.weight_decay={decay}", *flags, *DECIDED)
    return Arm(sweep="effective_theory/mnist_decay", flags=flags, n_steps=n_steps)


def _digits(scale: float, decay: float) -> Arm:
    flags = (f"--images.init_scale={scale}", f"--optim.weight_decay={decay}", *DECIDED)
    return Arm(sweep="effective_theory/digits_scale_decay", flags=flags, n_steps=10_000)


def _t(arm: ArmEvidence, split: str) -> Sample:
    return arm.reached(f"acc/{split}", SIXTY)


def _delay(arm: ArmEvidence) -> Sample:
    """Steps by which the test accuracy follows; infinite where it was not reached."""
    train, test = (_t(arm, split) for split in ("train", "test"))
    return replace(test.paired(train), horizon=test.horizon - train.max)


@claim(
    id="ET-D5",
    tier="R",
    statement="MNIST groks from large initial parameters, unless they decay fast or start small",
    source="figure 8; Shabalin et al. 2022 (needs the files of MNIST)",
    published="965 and 9,930 at decay 0.1; 460 and 770 at 2.15",
    arms={
        "decay 0.1": _mnist(0.1, 20_000),
        "decay 2": _mnist(2.0, 5000),
        "alpha 1": _mnist(0.1, 2000, "--images.init_scale=1.0"),
    },
)
def mnist_groks(e: Evidence) -> Iterator[Part]:
    """ET-D5."""
    yield within("decay 0.1: step of train", _t(e["decay 0.1"], "train"), 500, 1500)
    yield within("decay 0.1: step of test", _t(e["decay 0.1"], "test"), 5000, 15_000)
    yield at_most("decay 2: delay", _delay(e["decay 2"]), 999)
    yield at_most("alpha 1: step of test", _t(e["alpha 1"], "test"), 299)


DECAYS = (0.1, 0.46, 1.0)


@claim(
    id="ET-D6",
    tier="R",
    statement="On MNIST the time to generalise is inverse in the decay",
    source="Liu, Michaud and Tegmark 2023, appendix C (needs the files of MNIST)",
    published="slope -0.94 from 0.1 to 0.46",
    arms={f"decay {decay}": _mnist(decay, 20_000) for decay in DECAYS},
)
def inverse_in_decay(e: Evidence) -> Iterator[Part]:
    """ET-D6."""
    t = [_t(arm, "test").median for arm in e.arms.values()]
    yield within("slope of ln step over ln decay", slope(np.array(DECAYS), np.array(t)), -1.3, -0.7)
    for name, arm in e.arms.items():
        yield shown(f"{name}: step of test", _t(arm, "test"))


@claim(
    id="ET-D7",
    tier="R",
    statement="Digits: the delay grows with the scale of the initial parameters, decay shortens it",
    source="figure 8, on the substitute for MNIST",
    published="",
    arms={
        "alpha 1": _digits(1.0, 0.1),
        **{f"alpha 8, decay {decay}": _digits(8.0, decay) for decay in (1.0, 0.1, 0.01)},
    },
)
def digits_delay(e: Evidence) -> Iterator[Part]:
    """ET-D7."""
    delay = {name: _delay(arm) for name, arm in e.arms.items()}
    small = delay.pop("alpha 1")
    large = delay["alpha 8, decay 0.1"]
    yield above("delay at alpha 8 less thrice that at alpha 1", large.median - 3 * small.median, 0)
    yield ordered("delay at alpha 8, decay falling", delay)
    yield shown("delay at alpha 1", small)


@claim(
    id="ET-D8",
    tier="U",
    statement="Points of one label collapse and the classes stay apart, at constant norm",
    source="appendix I, on the substitute for MNIST",
    published="a picture",
    check="effective_theory_images.et_d8",
)
def collapse(e: Evidence) -> Iterator[Part]:
    """ET-D8."""
    yield all_above("separation of the class means", e.check("apart"), 0.01)
    yield all_below("variance within classes, end over start", e.check("fall"), 0.1)
    yield all_below("the same under gradient descent", e.check("descent"), 0.1)
    yield all_below("drift of the squared norm under it", e.check("drift"), 0.01)
