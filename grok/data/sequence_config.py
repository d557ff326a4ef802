"""Schema of the sequence section of a run's configuration, and sizes that follow from it.

Imports no tensor library, so that the command line can print its help at once.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

ProblemName = Literal[
    "pairs",
    "toy",
    "images",
    "language",
    "digit_addition",
    "repeated_subsequence",
    "skip_trigram",
    "majority",
]
"""What a run learns; all but ``pairs``, ``toy``, ``images`` and ``language`` are sequences."""

MAX_DIGITS = 17
"""Most digits whose sums are exact in 64-bit integers."""


class SequenceSizes(NamedTuple):
    """How large the sequences of a problem are."""

    vocab: int
    """Tokens."""
    length: int
    """Most tokens of a sequence. The network reads all but the last and predicts from each the
    next."""
    n_classes: int
    """Tokens that are ever predicted: the first ones of the vocabulary."""
    n_scored: int
    """Predicted tokens of a sequence that count."""
    n_read: int
    """Last rows of the network's output among which theirs are."""
    places: dict[str, slice]
    """Scored tokens that have readings of their own, by log key; none where all are alike."""


_SIZES: dict[str, tuple[str, ...]] = {
    "digit_addition": ("n_digits",),
    "repeated_subsequence": ("length", "vocab", "subseq_len", "n_repeats"),
    "skip_trigram": ("n_queries", "n_answers"),
    "majority": ("n_tosses", "longer"),
}


@dataclass(frozen=True, kw_only=True)
class SequenceConfig:
    """Sequences of tokens and which of them train; of no effect where ``problem`` is pairs.

    The fixed training set and the test set are drawn from ``data.split_seed``, fresh sequences and
    the order of batches from ``data.order_seed``.
    """

    n_train: int = 0
    """Sequences of a fixed training set; 0 draws fresh ones for every update."""
    n_test: int = 512
    """Sequences of the test set. None of them is in a fixed training set."""
    batch_size: int = 64
    """Sequences per update; 0 is all of a fixed training set."""
    n_digits: int = 5
    """Digits of each number of digit_addition, 1 to 17."""
    length: int = 85
    """Tokens of a repeated_subsequence: the first one, then n_repeats stretches of equal length."""
    vocab: int = 128
    """Tokens of repeated_subsequence, the first one of a sequence (0) included."""
    subseq_len: int = 16
    """Tokens of the subsequence that each stretch of a repeated_subsequence contains."""
    n_repeats: int = 3
    """Stretches of a repeated_subsequence."""
    n_queries: int = 4
    """Query tokens of skip_trigram, each with keys of its own."""
    n_answers: int = 11
    """Answers of skip_trigram, and keys of each query."""
    n_tosses: int = 100
    """Coins whose heads are the bits of a string of majority: half as many in the mean."""
    longer: tuple[int, ...] = ()
    """The same of further test sets of majority, of n_test strings each."""

    def __post_init__(self) -> None:
        """Refuse values that are impossible by themselves or beside the others.

        Raises:
            ValueError: In one line that names the key, its value and what is allowed.
        """
        self._check_numbers()
        least, most = (0, self.n_train) if self.n_train else (1, None)
        if self.batch_size < least or (most is not None and self.batch_size > most):
            allowed = f"0 to {most} (the training set)" if most else "1 or more for fresh sequences"
            raise ValueError(f"sequence.batch_size={self.batch_size}: allowed are {allowed}")
        stretch, rest = divmod(self.length - 1, self.n_repeats)
        if rest or stretch < self.subseq_len:
            raise ValueError(
                f"sequence.length={self.length}: allowed are 1 more than {self.n_repeats} "
                f"(n_repeats) times {self.subseq_len} (subseq_len) or more"
            )

    def _check_numbers(self) -> None:
        least = {"n_train": 0, "n_test": 1, "n_digits": 1, "vocab": 3, "subseq_len": 2}
        least |= {"n_tosses": 2}
        for name, allowed in (least | {"n_repeats": 2, "n_queries": 1, "n_answers": 2}).items():
            value = getattr(self, name)
            if value < allowed:
                raise ValueError(f"sequence.{name}={value} must be {allowed} or more")
        if self.n_digits > MAX_DIGITS:
            raise ValueError(f"sequence.n_digits={self.n_digits}: allowed are 1 to {MAX_DIGITS}")
        if wrong := [n for n in self.longer if n <= self.n_tosses]:
            raise ValueError(
                f"sequence.longer has {wrong[0]}: allowed are more than {self.n_tosses} (n_tosses)"
            )

    @property
    def stretch(self) -> int:
        """Tokens of each stretch of a repeated_subsequence."""
        return (self.length - 1) // self.n_repeats

    def used_by(self, problem: ProblemName) -> tuple[str, ...]:
        """Fields that have an effect on a problem that has sequences."""
        return ("n_train", "n_test", "batch_size", *_SIZES[problem])

    def sizes(self, problem: ProblemName) -> SequenceSizes:
        """Sizes of the sequences of a problem that has them."""
        if problem == "digit_addition":
            n = self.n_digits + 1
            places = {f"digit/{i + 1}": slice(i, i + 1) for i in range(n)}
            return SequenceSizes(12, 3 * n, 10, n, n, places)
        if problem == "repeated_subsequence":
            n = self.subseq_len - 1
            repeats = range(self.n_repeats - 1)
            places = {f"occurrence/{i + 2}": slice(i * n, (i + 1) * n) for i in repeats}
            n_read = self.length - 2 - self.stretch
            n_scored = n * (self.n_repeats - 1)
            return SequenceSizes(self.vocab, self.length, self.vocab, n_scored, n_read, places)
        if problem == "skip_trigram":
            vocab = self.n_answers + self.n_queries * (1 + self.n_answers)
            return SequenceSizes(vocab, self.n_queries + 2, self.n_answers, 1, 1, {})
        if problem == "majority":
            longest = max(self.n_tosses, *self.longer, 0)
            return SequenceSizes(2, longest + 1, 2, 1, longest, {})
        raise ValueError(f"problem={problem} has no sequences")
