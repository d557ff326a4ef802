"""How well a network answers when few principal components of its embedding are left.

Shapes: ``symbol`` - rows of the embedding that stand for symbols; ``dim`` - its numbers.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from grok.checkpoints import checkpoint_path, checkpoint_steps, load_checkpoint
from grok.config import RunConfig
from grok.inputs import InputError
from grok.metrics.components import from_components
from grok.metrics.loss import accuracy
from grok.runs import Run
from grok.training import Stack, problem_of, show


def reconstructed_accuracy(
    config: RunConfig,
    parameters: Mapping[str, Tensor],
    reference: Float[Tensor, "symbol dim"],
    counts: Sequence[int],
) -> dict[int, dict[str, float]]:
    """Accuracy by split, for several numbers of components; everything but W_E stays as it is.

    Args:
        config: The run.
        parameters: Its parameters at some step, without a run axis.
        reference: Embedding whose components are kept: that of the same step or of another. Only
            rows that stand for symbols; of pairs, that of the token ``=`` is never rebuilt.
        counts: Numbers of components, 1 to min(symbol, dim).

    Returns:
        By number of components: accuracy on each split, in [0, 1].

    Reference:
        Liu et al. 2022, appendix K.
    """
    stack = Stack(problem_of([config]))
    W_E = parameters["W_E"]
    found = {}
    for n in counts:
        rebuilt = W_E.clone()
        rebuilt[: len(reference)] = from_components(W_E[: len(reference)], reference, n).to(W_E)
        show(stack, 0, 0, {**parameters, "W_E": rebuilt})
        with torch.no_grad():
            predictions = stack.snapshot().predictions
        found[n] = {split: float(accuracy(*each)[0]) for split, each in predictions.items()}
    return found


def reconstruction(
    run: Run, counts: Sequence[int], *, step: int | None = None, components_of: int | None = None
) -> dict[int, dict[str, float]]:
    """The same for a stored run on toy networks or pairs.

    Args:
        run: The run.
        counts: Numbers of components.
        step: Stored step that is looked at; None for the last.
        components_of: Stored step whose components are kept; None for ``step`` itself. The paper
            compares these with those of the run's end.

    Raises:
        InputError: If the run is of another problem or has no parameters of such a step.
    """
    config = run.config
    if config.problem not in ("toy", "pairs"):
        raise InputError(f"{run.key} is of {config.problem}; reconstruction is of toy and pairs")
    stored = checkpoint_steps(run)
    step = stored[-1] if step is None and stored else step
    n_symbols = config.toy.n_symbols if config.problem == "toy" else config.data.n_elements
    loaded = []
    for each in (step, step if components_of is None else components_of):
        if each not in stored:
            raise InputError(f"{run.key} has no parameters of step {each}; it has {stored}")
        loaded.append(load_checkpoint(checkpoint_path(run, each)).parameters)
    at, reference = loaded
    return reconstructed_accuracy(config, at, reference["W_E"][:n_symbols], counts)
