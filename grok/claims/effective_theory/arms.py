"""Cells of the paper's sweeps that its claims ask for, and what is read off them."""

import math

import numpy as np

from grok.claims.claim import Arm
from grok.claims.evidence import ArmEvidence
from grok.claims.sample import Sample

BUDGET = 10_000
"""Updates of a cell in tier S; the published diagrams have 100,000."""

DIAGRAM_SEED = (58,)
"""Seed of the published regression diagrams, in the draw of their notebooks."""

WHOLE = (1, 2, 3, 4, 6, 7, 9, 11, 16, 19)
"""First seeds of the training script whose split leaves nothing that cannot be predicted."""

BOTH = (12, 23, 25)
"""First seeds of the notebooks whose splits are such for regression and classification."""

REACHED, STRUCTURED = 0.9, 0.95
"""Accuracy and representation quality that count as reached (section 4.1; figure 4b)."""


def rates(embed_lr: float, lr: float, n_steps: int = BUDGET, *flags: str) -> Arm:
    """A cell of figure 6a: learning rates of the embeddings and of the decoder."""
    return _arm("addition_regression_rates", n_steps, lr, f"--optim.embed_lr={embed_lr}", *flags)


def decay(weight_decay: float, lr: float, n_steps: int = BUDGET, *flags: str) -> Arm:
    """A cell of figure 6b: weight decay and learning rate of the decoder."""
    value = f"--optim.weight_decay={weight_decay}"
    return _arm("addition_regression_decay", n_steps, lr, value, *flags)


def classes(weight_decay: float, lr: float, n_steps: int = BUDGET, *flags: str) -> Arm:
    """A cell of figure 6c: the same for classification."""
    value = f"--optim.weight_decay={weight_decay}"
    return _arm("addition_classification_decay", n_steps, lr, value, *flags)


def script(n_steps: int, *flags: str) -> Arm:
    """A run of the released training script, with some fields replaced."""
    return Arm(sweep="effective_theory/addition_size", flags=_size(flags), n_steps=n_steps)


def _size(flags: tuple[str, ...]) -> tuple[str, ...]:
    has_size = any(flag.startswith("--toy.n_train=") for flag in flags)
    return flags if has_size else ("--toy.n_train=45", *flags)


def _arm(sweep: str, n_steps: int, lr: float, *flags: str) -> Arm:
    # Cells are followed to the end of the budget: what they come to is looked at too.
    flags = (f"--optim.lr={lr}", *flags, "--stop.when=never")
    return Arm(sweep=f"effective_theory/{sweep}", flags=flags, n_steps=n_steps)


def t_acc(arm: ArmEvidence, split: str) -> Sample:
    """First step at which the accuracy on a split was 0.9; infinite if it was not in the budget."""
    return arm.reached(f"acc/{split}", REACHED)


def t_rqi(arm: ArmEvidence) -> Sample:
    """First step at which the representation quality was 0.95, which no quality equals."""
    return arm.reached("repr/rqi", STRUCTURED)


def letters(arm: ArmEvidence) -> dict[str, str]:
    """Phase of each seed, as the letter of a map; U where a run diverged while it was open."""
    from grok.metrics.learning_phases import Phase, learning_phase

    times = [t_acc(arm, split).values for split in ("train", "test")]
    found = {}
    for seed in arm.runs:
        t = [np.array([int(x[seed]) if math.isfinite(x[seed]) else -1]) for x in times]
        is_spent = not any(math.isnan(x[seed]) for x in times)
        found[seed] = Phase(int(learning_phase(*t, is_spent=is_spent)[0])).letter
    return found


def n_reached(steps: Sample) -> float:
    """Number of seeds that came to it; NaN if that is not known of one, as when it diverged."""
    return math.nan if np.isnan(steps.array).any() else float(np.isfinite(steps.array).sum())


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Slope of ln y against ln x; NaN where a y is infinite or unknown."""
    if not np.isfinite(y).all():
        return math.nan
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
