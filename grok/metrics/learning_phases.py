"""Phases of learning by first-passage steps: comprehension, grokking, memorization, confusion.

Shapes: ``cell`` - runs of a phase diagram, in any layout; ``seed`` - repetitions of a diagram.
A first-passage step is the first step at which an accuracy has reached its threshold, and -1 where
it has not within the budget. -1 is no step: it never collides with a passage at the last one.
Nothing here knows of :mod:`grok.metrics.phases`, which are those of another paper.

Liu et al. is `Towards Understanding Grokking: An Effective Theory of Representation Learning
<https://arxiv.org/abs/2205.10343>`_.
"""

from enum import IntEnum
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float64, Int64

LAG = 1000
"""Steps by which validation follows training from which on a cell is grokking."""

Counts = TypeVar("Counts")


class Phase(IntEnum):
    """How a run learns within a budget of steps, and its letter in a map."""

    COMPREHENSION = 0, "C"
    """Both thresholds are reached, validation soon after training or before it."""
    GROKKING = 1, "G"
    """Both are reached, validation late."""
    MEMORIZATION = 2, "M"
    """Training alone is: not yet within the budget, which belongs to the label."""
    CONFUSION = 3, "X"
    """Neither is."""
    OTHER = 4, "O"
    """Validation alone is, which the paper's table has no name for."""
    UNDECIDED = 5, "U"
    """The run stopped before its budget while the label was open."""

    letter: str

    def __new__(cls, code: int, letter: str) -> "Phase":
        """A member is its code; the letter stands beside it."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.letter = letter
        return member


def reaches(correct: Counts, total: Counts | int, percent: int = 90) -> Counts:
    """Whether a share of right answers is at least so many percent, in whole numbers.

    ``100 * correct >= percent * total``: 9 of 10 reach 90 %, which no rounding of 0.9 can undo.

    Args:
        correct: Number of right answers, int64, an array or tensor of any shape.
        total: Number of questions, int64 of a shape that broadcasts, or one number for all.
        percent: Threshold in whole percent, 0 to 100; reached by equality too.

    Returns:
        Booleans in the shape of ``correct``, on its device. Nothing is reached on no questions.

    Raises:
        TypeError: If a count is not int64: shares are refused, and so are small integers, which
            would overflow.
        ValueError: If the threshold is not between 0 and 100.

    Reference:
        Liu et al., table of the phases. Departure: it says "> 90 %", the released code compares
        shares with ``>=``. With 10 validation samples the text would ask for all of them.
    """
    counts: tuple[Any, Any] = (correct, total)
    for count in counts:
        if not isinstance(count, int) and str(count.dtype).rpartition(".")[2] != "int64":
            raise TypeError(f"counts are int64, not {count.dtype}")
    if not 0 <= percent <= 100:
        raise ValueError(f"percent={percent}: allowed are 0 to 100")
    right, questions = counts
    return (100 * right >= percent * questions) & (questions > 0)


def learning_phase(
    T_tr: Int64[np.ndarray, "*cell"],
    T_va: Int64[np.ndarray, "*cell"],
    is_spent: Bool[np.ndarray, "*cell"] | bool = True,
    *,
    lag: int = LAG,
    ratio: float | None = None,
) -> Int64[np.ndarray, "*cell"]:
    """The phase of each cell of a diagram, by the steps at which it reaches both thresholds.

    Comprehension: both reached and ``T_va - T_tr < lag``; grokking: both and at least ``lag``;
    memorization: training alone; confusion: neither; other: validation alone. Whatever is open
    where the budget was not spent is undecided; once both are reached, nothing is open.

    Args:
        T_tr: First step at which training reaches its threshold, -1 where it does not.
        T_va: The same for validation. It may come first.
        is_spent: Whether the cell was trained for its whole budget. One that ended before, by
            divergence or by hand, must say False unless it reached both.
        lag: Steps from which on a delay is grokking.
        ratio: Grokking in its place where ``T_va >= ratio * T_tr`` and ``T_va > T_tr``, above 1.
            By an absolute lag everything slow is grokking; this one is blind to the speed. It
            depends on where steps are counted from, by one step.

    Returns:
        Codes of :class:`Phase`.

    Raises:
        ValueError: If a step is below -1, the shapes differ, or ``ratio`` is not above 1.

    Reference:
        Liu et al., table of the phases, and released code. Departures: the paper has no ``other``
        and no ``undecided``, and the code stores the last step where none is reached. The ratio is
        ours.
    """
    _check(T_tr, T_va)
    if ratio is not None and not ratio > 1:
        raise ValueError(f"ratio={ratio}: allowed are values above 1")
    trained, validated = T_tr >= 0, T_va >= 0
    is_late = T_va - T_tr >= lag if ratio is None else (T_va >= ratio * T_tr) & (T_va > T_tr)
    both, either = trained & validated, trained | validated
    open_ = np.where(trained, Phase.MEMORIZATION, np.where(either, Phase.OTHER, Phase.CONFUSION))
    known = np.where(is_spent, open_, Phase.UNDECIDED)
    decided = np.where(is_late, Phase.GROKKING, Phase.COMPREHENSION)
    return np.where(both, decided, known).astype(np.int64)


def _check(T_tr: np.ndarray, T_va: np.ndarray) -> None:
    if T_tr.shape != T_va.shape:
        raise ValueError(f"steps of shapes {T_tr.shape} and {T_va.shape}")
    if T_tr.size and min(T_tr.min(), T_va.min()) < -1:
        raise ValueError("a first-passage step is at least 0, or -1 where there is none")


def censored(T: Int64[np.ndarray, "*cell"], last: int) -> Int64[np.ndarray, "*cell"]:
    """First-passage steps as a run that ended after step ``last`` would have them.

    Args:
        T: Steps, -1 where not reached.
        last: Last step that counts, in the convention of ``T``: the budget where steps are updates
            done, one less where they are counted from 0.

    Returns:
        Later steps replaced by -1.
    """
    return np.where(last < T, -1, T)


def log_delay(
    T_tr: Int64[np.ndarray, "*cell"], T_va: Int64[np.ndarray, "*cell"]
) -> Float64[np.ndarray, "*cell"]:
    """Delay of validation, log10 of T_va less log10 of T_tr: 1 is ten times later.

    Args:
        T_tr: First step at which training reaches its threshold, -1 where it does not.
        T_va: The same for validation.

    Returns:
        Decades; negative where validation comes first, infinite where one of the two is step 0,
        NaN where one is not reached or both are step 0.

    Raises:
        ValueError: If a step is below -1 or the shapes differ.

    Reference:
        Ours, beside the labels of Liu et al., whose absolute lag makes every slow cell grokking.
    """
    _check(T_tr, T_va)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((T_tr >= 0) & (T_va >= 0), np.log10(T_va) - np.log10(T_tr), np.nan)


def phase_counts(phases: Int64[np.ndarray, "*cell"]) -> dict[Phase, int]:
    """Number of cells in each phase, all six of them, 0 included."""
    return {phase: int((phases == phase).sum()) for phase in Phase}


def phase_shares(phases: Int64[np.ndarray, "*cell"]) -> dict[Phase, float]:
    """Share of all cells in each phase, undecided cells included; NaN for no cells."""
    n = phases.size
    return {phase: k / n if n else np.nan for phase, k in phase_counts(phases).items()}


def phase_frequency(
    phases: Int64[np.ndarray, "seed *cell"],
) -> Float64[np.ndarray, "*cell phase"]:
    """Share of the seeds on which a cell has each phase.

    Args:
        phases: Codes of :class:`Phase`, at least one seed.

    Returns:
        One share per member of :class:`Phase`, in its order; they sum to 1.

    Raises:
        ValueError: If there is no seed.
    """
    if not len(phases):
        raise ValueError("there is no seed")
    return np.stack([(phases == phase).mean(axis=0) for phase in Phase], axis=-1)


def majority_phase(phases: Int64[np.ndarray, "seed *cell"]) -> Int64[np.ndarray, "*cell"]:
    """The phase that a cell has on most seeds.

    Args:
        phases: Codes of :class:`Phase`, at least one seed.

    Returns:
        The most frequent of the decided phases; undecided where there is none, or where two are
        equally frequent: a tie is nobody's majority.

    Raises:
        ValueError: If there is no seed.
    """
    share = phase_frequency(phases)[..., : Phase.UNDECIDED]
    most = share.max(axis=-1, keepdims=True)
    is_clear = ((share == most).sum(axis=-1) == 1) & (most[..., 0] > 0)
    return np.where(is_clear, share.argmax(axis=-1), Phase.UNDECIDED).astype(np.int64)
