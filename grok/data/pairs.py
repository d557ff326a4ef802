"""The rows of an operation table as tokens, labels and a split.

Shapes: ``pair`` - rows of the table, one per (a, b) on which the operation is defined, in
lexicographic order; ``train``, ``test`` - rows of either side of the split; ``row`` - rows to draw
from; ``batch`` - rows of one step.
"""

import random
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int, Int64
from torch import Tensor

from grok.data.config import DataConfig, SplitMethod, n_train_rows
from grok.groups import group, operation_table


class PairData(NamedTuple):
    """Every pair of an operation, its label, and the side of the split it is on."""

    n: int
    """Number of elements. Their tokens are 0 to n - 1, and n is the token of "="."""
    a: Int64[Tensor, " pair"]
    """Left argument."""
    b: Int64[Tensor, " pair"]
    """Right argument."""
    c: Int64[Tensor, " pair"]
    """Label, 0 to n - 1."""
    train: Int64[Tensor, " train"]
    """Training rows, in the order of the split."""
    test: Int64[Tensor, " test"]
    """Test rows, in the order of the split."""

    @property
    def tokens(self) -> Int64[Tensor, "pair 3"]:
        """Input of a transformer: a, b and "=", which is n."""
        return torch.stack([self.a, self.b, torch.full_like(self.a, self.n)], dim=-1)


def pair_data(config: DataConfig) -> PairData:
    """Pairs, labels and split that a configuration describes, on the CPU.

    ``table_seed`` reaches the labels alone, and ``split_seed`` the split alone; neither
    ``order_seed`` nor ``batch_size`` is read here.

    Args:
        config: Operation, size and split.

    Returns:
        All pairs on which the operation is defined.

    Reference:
        Singh, Misra and Orvieto, `Explaining Grokking in Transformers through the Lens of Inductive
        Bias <https://arxiv.org/abs/2602.06702>`_, section 2.1, and Nanda et al., `Progress measures
        for grokking via mechanistic interpretability <https://arxiv.org/abs/2301.05217>`_, section
        3: tokens, labels and the order of the rows.
    """
    if config.operation == "compose":
        table = group(config.group).table
    else:
        table = operation_table(config.operation, config.p, config.table_seed)
    a, b = np.nonzero(table >= 0)
    c = table[a, b]
    train, test = split_rows(config.split, len(c), config.train_fraction, config.split_seed)
    return PairData(
        n=len(table),
        a=torch.from_numpy(a),
        b=torch.from_numpy(b),
        c=torch.from_numpy(c),
        train=train,
        test=test,
    )


def split_rows(
    method: SplitMethod, n_pairs: int, fraction: float, seed: int
) -> tuple[Int64[Tensor, " train"], Int64[Tensor, " test"]]:
    """Split of the rows 0 to ``n_pairs`` - 1, bit for bit that of the papers' programs.

    ``python_shuffle``, ``python_shuffle_test_floor``: the rows shuffled by Python's ``random``; the
    first :func:`~grok.data.config.n_train_rows` train, the rest tests. ``torch_randperm``: the
    same with a random permutation of torch on the CPU. ``numpy_choice``: the training rows drawn
    without replacement by numpy's legacy ``choice``; the others test, in ascending order.

    No global random state is read or changed. A side may be empty.

    Args:
        method: One of ``SplitMethod``.
        n_pairs: Number of rows.
        fraction: Share of the training set, 0 to 1.
        seed: Seed of the method's generator, 0 to 2^32 - 1.

    Returns:
        Training rows and test rows, each in the order drawn. Every row is on exactly one side.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, released code (``python_shuffle``; seed 0) and demo
        notebook (``torch_randperm``; seed 598). Singh, Misra and Orvieto, `Explaining Grokking in
        Transformers through the Lens of Inductive Bias <https://arxiv.org/abs/2602.06702>`_,
        appendix C and released code (``python_shuffle_test_floor``). Liu et al., `Towards
        Understanding Grokking: An Effective Theory of Representation Learning
        <https://arxiv.org/abs/2205.10343>`_, released code (``numpy_choice``). Departure: that code
        draws its regression targets from the same generator first, here nothing is drawn before.
    """
    n_train = n_train_rows(method, n_pairs, fraction)
    if method == "numpy_choice":
        train = np.random.RandomState(seed).choice(n_pairs, n_train, replace=False)
        test = np.setdiff1d(np.arange(n_pairs), train)
        return torch.from_numpy(train), torch.from_numpy(test)
    if method == "torch_randperm":
        order = torch.randperm(n_pairs, generator=torch.Generator().manual_seed(seed))
    else:
        rows = list(range(n_pairs))
        random.Random(seed).shuffle(rows)
        order = torch.tensor(rows, dtype=torch.int64)
    return order[:n_train], order[n_train:]


def is_commutative(data: PairData) -> bool:
    """Whether (b, a) is defined and has the label of (a, b), for every pair (a, b)."""
    table = torch.full((data.n, data.n), -1)
    table[data.a, data.b] = data.c
    return torch.equal(table, table.T)


def mirrored(data: PairData) -> Bool[Tensor, " test"]:
    """Whether the mirror (b, a) of each test pair (a, b) is a training pair.

    Args:
        data: Pairs and split.

    Returns:
        One value per test pair, in the order of the split. False for (a, a), which is its own
        mirror, and where (b, a) is not defined. Its mean is about the training share: a network
        that knows its training pairs, that the operation commutes, and nothing else is right on
        so many of the test pairs.
    """
    is_trained = torch.zeros(data.n, data.n, dtype=torch.bool)
    is_trained[data.a[data.train], data.b[data.train]] = True
    return is_trained[data.b[data.test], data.a[data.test]]


def batch_rows(
    train: Int[Tensor, " row"], batch_size: int, seed: int, step: int
) -> Int[Tensor, " batch"]:
    """Training rows that one update sees.

    Each epoch is a new order of the training rows, cut into batches of equal size; the incomplete
    last batch is left out. The order depends on nothing but the seed and the number of the epoch,
    so that any step can be redone without stored state. The two are mixed into one 64-bit seed by
    numpy's ``SeedSequence``, so that epoch 1 of seed 0 is not epoch 0 of seed 1.

    Args:
        train: Training rows.
        batch_size: Rows per step, 1 to ``len(train)``.
        seed: Seed of the order, not negative.
        step: Updates done before this one, from 0.

    Returns:
        ``batch_size`` different rows, on the device of ``train``.

    Raises:
        ValueError: If ``batch_size`` is not between 1 and ``len(train)``, or if ``step`` is
            negative.
    """
    if not 1 <= batch_size <= len(train):
        raise ValueError(f"batch_size={batch_size}: allowed are 1 to {len(train)}")
    if step < 0:
        raise ValueError(f"step={step}: steps are counted from 0")
    epoch, batch = divmod(step, len(train) // batch_size)
    entropy = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)
    generator = torch.Generator().manual_seed(int(entropy[0]))
    order = torch.randperm(len(train), generator=generator)
    return train[order[batch * batch_size : (batch + 1) * batch_size].to(train.device)]
