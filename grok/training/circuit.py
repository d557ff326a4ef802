"""What the circuit of addition mod p is read from, for a stack.

Shapes as in :mod:`grok.training.pair_problem`; ``p`` - group order.
"""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grok.measures.snapshot import Circuit

if TYPE_CHECKING:
    from grok.training.pair_problem import PairProblem
    from grok.training.stack import Stack


def circuit(
    stack: "Stack[PairProblem]",
    logits: Float[Tensor, "run pair cls"],
    neurons: Float[Tensor, "run pair d_mlp"],
    to_first: Float[Tensor, "run pair head"],
) -> Circuit:
    """Logits, neurons and attention on all pairs, in the order in which (a, b) adds up.

    The scale of the read-out and the temperature are in the logits and in W_L. Subtraction is
    addition of -b, so its pairs come in the order of -b.

    Args:
        stack: Runs of addition or subtraction.
        logits: The model's outputs f.
        neurons: Of the last layer, after the non-linearity, at the last position.
        to_first: Of the first layer, pattern from the last position to the first.
    """
    pairs, params, norm = stack.problem, stack.params, stack.config.model.norm
    p = pairs.data[0].n
    pair = _order(stack)
    is_train = torch.zeros(logits.shape[:2], dtype=torch.bool, device=stack.device)
    W_U = params["W_E" if stack.config.model.tied else "W_U"].detach()[:, :p]
    W_out = params[f"blocks.{stack.config.model.n_layers - 1}.W_out"].detach()
    return Circuit(
        (pairs.readout(logits, rows=None)[:, :, :p] / pairs.temperature)[:, pair],
        neurons[:, pair],
        pairs.readout_scale / pairs.temperature * (W_U @ W_out),
        not (norm.peri or norm.post or norm.final),
        to_first[:, pair],
        is_train.scatter(1, pairs.train, True)[:, pair],
        stack.config.measures.progress.keys,
        stack.config.measures.progress.rule,
    )


def _order(stack: "Stack[PairProblem]") -> Int[Tensor, " pair"]:
    """Row of the operation table at each index a p + b of addition."""
    p = stack.problem.data[0].n
    pair = torch.arange(p * p, device=stack.device)
    a, b = pair // p, pair % p
    return pair if stack.config.data.operation == "add" else a * p + -b % p
