"""What a training set alone says of a run on toy networks."""

import torch

from grok.config import RunConfig
from grok.data.toy import toy_data
from grok.measures.representation import toy_samples, train_mask
from grok.metrics.parallelograms import ideal_accuracy, nullity


def ideals(config: RunConfig) -> tuple[float, int]:
    """Ideal accuracy on all pairs, and nullity, of a run's training set."""
    data = toy_data(config.toy, config.optim.loss, config.data.split_seed)
    mask, samples = train_mask(config.toy, torch.stack([data.train])), toy_samples(config.toy)
    return float(ideal_accuracy(mask, samples)[0]), int(nullity(mask, samples)[0])
