"""Pairs of symbols, their labels and targets, and which of them train, for the toy models.

Shapes: ``pair`` - rows of the table in lexicographic order; ``train``, ``test`` - rows of either
side of the split; ``label``; ``out`` - numbers of a target.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from grok.data.toy_config import ToyConfig
from grok.groups import group


class ToyData(NamedTuple):
    """Every pair of symbols, its label, and the side of the split it is on."""

    a: Int64[Tensor, " pair"]
    """First symbol."""
    b: Int64[Tensor, " pair"]
    """Second symbol."""
    label: Int64[Tensor, " pair"]
    """Label, 0 to n_labels - 1."""
    train: Int64[Tensor, " train"]
    """Training rows, in the order drawn."""
    test: Int64[Tensor, " test"]
    """Test rows, ascending."""
    targets: Float64[Tensor, "label out"]
    """Normal vectors, one per label; of no use where the outputs are logits."""


def toy_data(config: ToyConfig, loss: str, split_seed: int) -> ToyData:
    """Pairs, targets and split, bit for bit those of the authors' programs.

    One numpy generator draws the targets and then the training rows. The notebooks behind the
    published diagrams draw an input vector per symbol before, and no targets for cross_entropy.
    No global random state is read or changed.

    Args:
        config: Symbols, split and targets.
        loss: ``optim.loss``, which says how many numbers a target has.
        split_seed: Seed of the generator, 0 to 2^32 - 1.

    Reference:
        Liu et al., `Towards Understanding Grokking: An Effective Theory of Representation Learning
        <https://arxiv.org/abs/2205.10343>`_, section 2 and released code (``toy/train_add.py``;
        ``phase_diagram_plot`` for ``draw="published"``).
    """
    a, b, label = toy_table(config)
    generator, n_out = np.random.RandomState(split_seed), config.outputs(loss)
    if config.draw == "published":
        generator.normal(size=(config.n_symbols, n_out))
    targets = np.zeros((config.n_labels, n_out))
    if config.draw == "train_add" or loss == "mse":
        targets = generator.normal(size=targets.shape)
    train = generator.choice(config.n_pairs, config.n_train, replace=False)
    test = np.setdiff1d(np.arange(config.n_pairs), train)
    if config.targets == "one_hot":
        targets = np.eye(config.n_labels)
    else:
        targets = config.label_scale * targets
    train, test, targets = (torch.from_numpy(x) for x in (train, test, targets))
    return ToyData(a, b, label, train, test, targets)


def toy_table(
    config: ToyConfig,
) -> tuple[Int64[Tensor, " pair"], Int64[Tensor, " pair"], Int64[Tensor, " pair"]]:
    """Both symbols and the label of every pair."""
    a, b, label = (torch.from_numpy(x.astype(np.int64)) for x in _table(config))
    return a, b, label


def _table(config: ToyConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = config.n_symbols
    if config.pairs == "ordered":
        a, b = np.divmod(np.arange(n * n), n)
    else:
        a, b = np.triu_indices(n)
    if config.operation == "compose":
        return a, b, group(config.group).table[a, b]
    return a, b, (a + b) % n if config.operation == "add_mod" else a + b
