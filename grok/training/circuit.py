"""What the circuits of addition mod p and of composition are read from, for a stack.

Shapes as in :mod:`grok.training.pair_problem`; ``p`` - group order.
"""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from grok.measures.snapshot import Circuit, Composition

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
    norm, pair = stack.config.model.norm, addition_order(stack)
    return Circuit(
        _seen_logits(stack, logits)[:, pair],
        neurons[:, pair],
        _neuron_logit_map(stack),
        not (norm.peri or norm.post or norm.final),
        to_first[:, pair],
        _is_train(stack)[:, pair],
        stack.config.measures.progress.keys,
        stack.config.measures.progress.rule,
    )


def composition(stack: "Stack[PairProblem]", logits: Float[Tensor, "run pair cls"]) -> Composition:
    """Logits on all pairs and the matrices with a row per element.

    The scale of the read-out and the temperature are in the logits, in W_U and in W_L.

    Args:
        stack: Runs that compose a group, or add mod p.
        logits: The model's outputs f.
    """
    W_E = stack.params["W_E"][:, : stack.problem.data[0].n].detach()
    return Composition(
        stack.config.data.table_group,
        _seen_logits(stack, logits),
        {"W_E": W_E, "W_U": _scale(stack) * _unembedding(stack), "W_L": _neuron_logit_map(stack)},
        _is_train(stack),
        stack.config.measures.irrep.key_names,
    )


def _scale(stack: "Stack[PairProblem]") -> Float[Tensor, "run 1 1"]:
    """Factor between the model's outputs and the logits of the loss."""
    return stack.problem.readout_scale / stack.problem.temperature


def _seen_logits(stack: "Stack[PairProblem]", logits: Float[Tensor, "run pair cls"]) -> Tensor:
    """Logits as the loss sees them, without the ``=`` class."""
    pairs = stack.problem
    h = pairs.readout(logits, rows=None)[:, :, : pairs.data[0].n]
    return h / pairs.temperature


def _unembedding(stack: "Stack[PairProblem]") -> Float[Tensor, "run n d_model"]:
    """Rows of W_U for the elements."""
    W_U = stack.params["W_E" if stack.config.model.tied else "W_U"]
    return W_U[:, : stack.problem.data[0].n].detach()


def _neuron_logit_map(stack: "Stack[PairProblem]") -> Float[Tensor, "run n d_mlp"]:
    """W_L = W_U W_out in the units of the logits."""
    W_out = stack.params[f"blocks.{stack.config.model.n_layers - 1}.W_out"].detach()
    return _scale(stack) * (_unembedding(stack) @ W_out)


def _is_train(stack: "Stack[PairProblem]") -> Bool[Tensor, "run pair"]:
    """Whether each row of the operation table is trained on."""
    nowhere = torch.zeros(stack.problem.c.shape, dtype=torch.bool, device=stack.device)
    return nowhere.scatter(1, stack.problem.train, True)


def addition_order(stack: "Stack[PairProblem]") -> Int[Tensor, " pair"]:
    """Row of the operation table at each index a p + b of addition."""
    p = stack.problem.data[0].n
    pair = torch.arange(p * p, device=stack.device)
    a, b = pair // p, pair % p
    return pair if stack.config.data.operation == "add" else a * p + -b % p
