"""The problem that configs describe."""

from collections.abc import Sequence

import torch

from grok.config import RunConfig
from grok.data.pairs import pair_data
from grok.training.compat import check_stackable
from grok.training.image_problem import ImageProblem
from grok.training.language_problem import LanguageProblem
from grok.training.pair_problem import PairProblem
from grok.training.problem import Problem
from grok.training.sequence_problem import SequenceProblem
from grok.training.toy_problem import ToyProblem


def problem_of(configs: Sequence[RunConfig], device: torch.device | str = "cpu") -> Problem:
    """What these runs learn, with data made from their seeds.

    Raises:
        ValueError: If the runs cannot share a stack.
        InputError: If files that they learn from are missing or are others than expected.
    """
    check_stackable(configs)
    if configs[0].problem == "toy":
        return ToyProblem(configs, device=device)
    if configs[0].problem == "images":
        return ImageProblem(configs, device=device)
    if configs[0].problem == "language":
        return LanguageProblem(configs, device=device)
    if configs[0].problem != "pairs":
        return SequenceProblem(configs, device=device)
    return PairProblem(configs, [pair_data(config.data) for config in configs], device)
