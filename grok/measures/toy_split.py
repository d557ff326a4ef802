"""What the training pairs of a toy run say of it before anything is trained."""

from functools import lru_cache
from typing import NamedTuple

import torch

from grok.config import RunConfig
from grok.data.toy import toy_data
from grok.data.toy_config import ToyConfig
from grok.measures.representation import toy_samples, train_mask
from grok.metrics.parallelograms import ideal_accuracy, ideal_validation_accuracy, nullity
from grok.theory.effective import spectrum

MOST_SYMBOLS = 60
"""With so many a split takes seconds, with the 200 that a run may have it would take an hour."""


class SplitTheory(NamedTuple):
    """What the parallelograms of a training set allow for, whatever the hyper-parameters."""

    nullity: int
    """Freedom left to the embedding; 2 forces the number line of a sum."""
    ideal_accuracy: float
    """Accuracy on all pairs that can be reached, 0 to 1."""
    ideal_test_accuracy: float
    """Accuracy on the test pairs that can be reached, 0 to 1."""
    lambda_3: float | None
    """Third eigenvalue of the Hessian of the effective loss, in 1 / time; None where labels are no
    plain sums, or of two symbols."""


def split_theory(config: RunConfig) -> SplitTheory | None:
    """What the split of a run on toy networks says; None where the theory has nothing to say.

    The equations are those of a sum of two embeddings, over pairs of which each occurs once. So
    there is nothing to say of groups, of matrices that are multiplied, of embeddings that are read
    side by side, and of ordered pairs; nor is it asked of more than :data:`MOST_SYMBOLS`. Runs that
    share a split share the answer.
    """
    toy = config.toy
    is_sum = toy.pairs == "unordered" and toy.combine in ("sum", "mean")
    if config.problem != "toy" or not is_sum or toy.p > MOST_SYMBOLS:
        return None
    train = toy_data(toy, config.optim.loss, config.data.split_seed).train
    return _theory(ToyConfig(operation=toy.operation, p=toy.p, n_train=1), tuple(train.tolist()))


@lru_cache(maxsize=4096)
def _theory(task: ToyConfig, train: tuple[int, ...]) -> SplitTheory:
    samples = toy_samples(task)
    is_train = train_mask(task, torch.tensor([train]))[0]
    is_sum = task.operation == "add" and task.p > 2
    return SplitTheory(
        nullity=int(nullity(is_train, samples)),
        ideal_accuracy=float(ideal_accuracy(is_train, samples)),
        ideal_test_accuracy=float(ideal_validation_accuracy(is_train, samples)),
        lambda_3=float(spectrum(is_train, samples).lambda_3) if is_sum else None,
    )
