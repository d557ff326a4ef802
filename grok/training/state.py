"""What a checkpoint holds of a run in a stack, and how it comes back."""

from collections.abc import Mapping

from torch import Tensor

from grok.training.flat import named_views
from grok.training.stack import Stack


def state_of(stack: Stack, run: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Parameters of one run by name, and what else an update needs, by name.

    That is the optimiser's state as ``<moment>.<parameter>``, and the sums over every update if
    the run keeps them.
    """
    parameters = {name: x[run].detach().cpu() for name, x in stack.named(stack.theta).items()}
    moments = {
        f"{moment}.{name}": x[run].cpu()
        for moment, flat in stack.optimizer.state.items()
        for name, x in _moments(stack, moment, flat).items()
    }
    sums = {} if stack.sums is None else stack.sums.of_run(run)
    return parameters, moments | sums


def restore(stack: Stack, run: int, step: int, state: Mapping[str, Tensor]) -> None:
    """Put a run's parameters and moments back; all runs of a stack resume at one step.

    Sums over every update are dropped if they were not kept from the start.

    Raises:
        ValueError: If a tensor is missing or has another shape.
    """
    show(stack, run, step, state)
    for moment, flat in stack.optimizer.state.items():
        _place(_moments(stack, moment, flat), run, f"{moment}.", state)
    if stack.sums is not None and not stack.sums.restore(run, stack.theta, state):
        stack.sums = None


def show(stack: Stack, run: int, step: int, parameters: Mapping[str, Tensor]) -> None:
    """Put parameters of some step in place to be measured; moments stay as they are.

    Raises:
        ValueError: If a tensor is missing or has another shape.
    """
    stack.step = step
    _place(stack.named(stack.theta), run, "", parameters)


def _moments(stack: Stack, moment: str, flat: Tensor) -> dict[str, Tensor]:
    """A state of the optimiser by parameter, sharing memory with it."""
    shapes = stack.optimizer.state_shapes(moment)
    return stack.named(flat) if shapes is None else named_views(flat, shapes)


def _place(views: Mapping[str, Tensor], run: int, prefix: str, saved: Mapping[str, Tensor]) -> None:
    for name, view in views.items():
        found = saved.get(prefix + name)
        if found is None or found.shape != view.shape[1:]:
            raise ValueError(f"checkpoint does not fit the model: {prefix + name}")
        view[run].copy_(found)
