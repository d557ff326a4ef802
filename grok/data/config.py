"""Schema of the data section of a run's configuration.

Imports no tensor library, so that the command line can print its help at once.
"""

from dataclasses import dataclass
from typing import Literal

from grok.groups import Operation, check_modulus, group_order
from grok.inputs import check_choices

SplitMethod = Literal[
    "python_shuffle", "python_shuffle_test_floor", "torch_randperm", "numpy_choice"
]

_DEFAULT_P = 113
_MAX_SEED = 2**32 - 1  # numpy's RandomState takes no more


def n_train_rows(method: SplitMethod, n_pairs: int, fraction: float) -> int:
    """Number of pairs that a split method puts into the training set.

    Computed in floating point exactly as the papers' programs do, so that 0.29 of 100 pairs is 28:
    ``int(fraction * n_pairs)`` for ``python_shuffle`` and ``torch_randperm``, ``n_pairs`` less
    ``int((1 - fraction) * n_pairs)`` for ``python_shuffle_test_floor``, and
    ``round(fraction * n_pairs)``, halves to even, for ``numpy_choice``.

    Args:
        method: One of ``SplitMethod``.
        n_pairs: Number of pairs to split.
        fraction: Share of the training set, 0 to 1.

    Returns:
        0 to ``n_pairs``; the rest is the test set.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, released code: 3830 of 12769 pairs at 0.3. Singh,
        Misra and Orvieto, `Explaining Grokking in Transformers through the Lens of Inductive Bias
        <https://arxiv.org/abs/2602.06702>`_, appendix C: 3831 of them. Departure: the code of the
        latter starts from the share of the test set, which is ``1 - fraction`` here and may differ
        from it in the last bit.
    """
    if method == "python_shuffle_test_floor":
        return n_pairs - int((1 - fraction) * n_pairs)
    return round(fraction * n_pairs) if method == "numpy_choice" else int(fraction * n_pairs)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The operation table, its split into training and test pairs, and the order of batches."""

    operation: Operation = "add"
    """Operation that fills the table: a formula mod p, or compose for the product of a group. div
    needs a prime p and has no pairs with b = 0; random is a table of uniform labels; sum_xor,
    sum_and and sum_rsh are ((a + b) op p) mod p."""
    p: int = _DEFAULT_P
    """Modulus of the operation, which is also the number of elements: 2 to 2000. Stays at its
    default with compose, where the group says how many elements there are."""
    group: str = ""
    """Finite group for compose: C<n>, S3 to S6, A3 to A6, D<n> (n >= 3) or a product such as S3xC5,
    of at most 2000 elements. Empty with every other operation."""
    table_seed: int = 0
    """Seed of the table of random, 0 to 2^32 - 1. Other operations ignore it."""
    train_fraction: float = 0.3
    """Share of the pairs in the training set, between 0 and 1 and with at least one pair on each
    side."""
    split: SplitMethod = "python_shuffle"
    """How the training pairs are drawn. With f the fraction and n the number of pairs: shuffled by
    Python's random, the first int(f n) train (python_shuffle) or the last int((1 - f) n) test
    (python_shuffle_test_floor); or int(f n) by torch.randperm (torch_randperm), or round(f n) by
    numpy's RandomState.choice (numpy_choice)."""
    split_seed: int = 0
    """Seed of the split, 0 to 2^32 - 1."""
    order_seed: int = 0
    """Seed of the order of mini-batches and of dropout masks, 0 to 2^32 - 1."""
    batch_size: int = 0
    """Training pairs per step, at most the size of the training set; 0 is all of it."""

    def __post_init__(self) -> None:
        """Refuse values that are impossible by themselves or beside the others.

        Raises:
            ValueError: In one line that names the key, its value and what is allowed.
        """
        check_choices(self, "data.")
        if self.operation == "compose":
            self._check_group()
        else:
            self._check_modulus()
        self._check_sizes()
        for key in ("table_seed", "split_seed", "order_seed"):
            if not 0 <= getattr(self, key) <= _MAX_SEED:
                raise ValueError(f"data.{key}={getattr(self, key)}: allowed are 0 to {_MAX_SEED}")

    @property
    def n_elements(self) -> int:
        """Number of elements that a and b run over: p, or the order of the group."""
        return group_order(self.group) if self.operation == "compose" else self.p

    @property
    def table_group(self) -> str:
        """Name of the group whose table the operation fills; empty where that is no group's."""
        return f"C{self.p}" if self.operation == "add" else self.group

    @property
    def n_pairs(self) -> int:
        """Number of pairs on which the operation is defined: n^2, or n (n - 1) for division."""
        n = self.n_elements
        return n * (n - 1) if self.operation == "div" else n * n

    @property
    def n_train(self) -> int:
        """Number of training pairs."""
        return n_train_rows(self.split, self.n_pairs, self.train_fraction)

    @property
    def n_test(self) -> int:
        """Number of test pairs: all that do not train."""
        return self.n_pairs - self.n_train

    def _check_group(self) -> None:
        if self.group == "":
            raise ValueError("data.group='': data.operation='compose' needs one, such as S5")
        if self.p != _DEFAULT_P:
            raise ValueError(
                f"data.p={self.p}: not used by data.operation='compose', leave it at {_DEFAULT_P}"
            )
        try:
            group_order(self.group)
        except ValueError as error:
            raise ValueError(f"data.group: {error}") from None

    def _check_modulus(self) -> None:
        if self.group != "":
            raise ValueError(
                f"data.group={self.group!r}: allowed only with data.operation='compose', "
                f"not {self.operation!r}"
            )
        try:
            check_modulus(self.operation, self.p)
        except ValueError as error:
            raise ValueError(f"data.{error}") from None

    def _check_sizes(self) -> None:
        # Comparing first also refuses NaN, which has no integer part.
        if not 0 < self.train_fraction < 1:
            raise ValueError(
                f"data.train_fraction={self.train_fraction}: allowed are values between 0 and 1"
            )
        if not 0 < self.n_train < self.n_pairs:
            raise ValueError(
                f"data.train_fraction={self.train_fraction} leaves {self.n_train} training and "
                f"{self.n_test} test pairs: allowed are values that leave at least one of each"
            )
        if not 0 <= self.batch_size <= self.n_train:
            raise ValueError(
                f"data.batch_size={self.batch_size}: allowed are 1 to {self.n_train} (the "
                f"training set), and 0 for all of it"
            )
