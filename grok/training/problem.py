"""The seam between a stack and what its runs learn.

A :class:`~grok.training.Stack` knows what every training has: flat parameters, an optimiser with
hyper-parameters per run, freezing, blocks of updates, state to resume from. A *problem* brings the
rest: data on the device, a network, the loss of an update, and what measures can read.

Shapes: ``run`` - runs trained together.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from grok.config import RunConfig

if TYPE_CHECKING:
    from grok.training.stack import Stack

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@runtime_checkable
class Network(Protocol):
    """What a stack has to know of a network."""

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name and shape of every parameter, without the ``run`` axis."""
        ...

    def is_trained(self, name: str) -> bool:
        """Whether the parameter ever gets a gradient."""
        ...


@runtime_checkable
class Problem(Protocol):
    """What the runs of one stack learn, and with what network.

    A constructor refuses configs that cannot share a tensor program
    (:func:`~grok.training.check_stackable`). Nothing here changes during training: what an update
    sees is a function of the seeds and of its number, so that any update can be done again.
    """

    @property
    def configs(self) -> tuple[RunConfig, ...]:
        """One per run."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the data lie."""
        ...

    @property
    def model(self) -> Network:
        """The network, one for all runs."""
        ...

    @property
    def is_fixed(self) -> bool:
        """Whether every update sees the same data, without dropout."""
        ...

    def initial(self, config: RunConfig) -> Mapping[str, Tensor]:
        """Parameters of one run at step 0 by name, without the ``run`` axis, from its seed."""
        ...

    def start(self, params: Mapping[str, Tensor]) -> None:
        """Told the parameters at step 0 once, before anything else is asked."""
        ...

    def losses(self, params: Mapping[str, Tensor], step: int) -> Float[Tensor, " run"]:
        """Mean loss of each run on what update ``step`` (from 0) sees, with its graph."""
        ...

    def whole_losses(self, params: Mapping[str, Tensor], step: int) -> Float[Tensor, " run"]:
        """Mean loss of each run on its training data as they stand after ``step`` updates.

        Without dropout, with its graph. Where the data are fresh at every update there is no
        whole: it is the loss on those of the coming update.
        """
        ...

    def parts(self, stack: "Stack") -> dict[str, Any]:
        """What measures can ask for beside what every stack has.

        Returns:
            Arguments of :class:`~grok.measures.Snapshot`.
        """
        ...

    def alone(self, run: int) -> "Problem":
        """The problem of one of the runs, whose losses have second derivatives."""
        ...
