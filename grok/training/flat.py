"""Parameters of a stack as one row of numbers per run.

Shapes: ``run`` - runs trained together; ``weight`` - every number of a run's parameters, the
trained ones first.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from grok.training.problem import Network


class FlatLayout:
    """Where each parameter lies in a run's row.

    Args:
        model: Names, shapes, and which parameters are trained.
    """

    def __init__(self, model: Network) -> None:
        shapes = model.shapes()
        names = sorted(shapes, key=lambda name: not model.is_trained(name))  # stable
        self.shapes = {name: shapes[name] for name in names}
        self.trained = [name for name in names if model.is_trained(name)]
        self.n_trained = sum(torch.Size(shapes[name]).numel() for name in self.trained)

    def rows(self, runs: Sequence[Mapping[str, Tensor]]) -> Float[Tensor, "run weight"]:
        """One row for each run's parameters by name."""
        rows = [torch.cat([run[name].flatten() for name in self.shapes]) for run in runs]
        return torch.stack(rows)

    def views(self, flat: Float[Tensor, "run weight"]) -> dict[str, Tensor]:
        """Parameters ``[run, ...]`` of full rows, or of their trained part, sharing memory."""
        views, start = {}, 0
        for name, shape in self.shapes.items():
            stop = start + torch.Size(shape).numel()
            if stop <= flat.shape[1]:
                views[name] = flat[:, start:stop].unflatten(1, shape).detach()
            start = stop
        return views

    def decays(self, exempt: tuple[str, ...]) -> Bool[Tensor, " weight"] | None:
        """Mask of the trained weights that decay; None when all do."""
        if not exempt:
            return None
        sizes = [(name, torch.Size(self.shapes[name]).numel()) for name in self.trained]
        return torch.cat([torch.full((n,), group_of(name) not in exempt) for name, n in sizes])


def group_of(name: str) -> str:
    """Group of a parameter: embed, unembed, bias, norm or matrix."""
    block, _, last = name.rpartition(".")
    if block.rpartition(".")[2].startswith("ln"):
        return "norm"
    if last.startswith("b_"):
        return "bias"
    return {"W_E": "embed", "W_pos": "embed", "W_U": "unembed"}.get(last, "matrix")
