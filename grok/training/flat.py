"""Parameters of a stack as one row of numbers per run.

Shapes: ``run`` - runs trained together; ``weight`` - every number of a run's parameters, the
trained ones first.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Literal

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from grok.models.parameter_sets import parameter_group
from grok.training.problem import Network

Group = Literal["embed", "unembed", "rest"]
"""Parameters that may have a rate and a decay of their own."""


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
        return named_views(flat, self.shapes)

    def decays(self, exempt: tuple[str, ...]) -> Bool[Tensor, " weight"] | None:
        """Mask of the trained weights that decay; None when all do."""
        if not exempt:
            return None
        sizes = [(name, torch.Size(self.shapes[name]).numel()) for name in self.trained]
        return torch.cat([torch.full((n,), group_of(name) not in exempt) for name, n in sizes])

    def groups(self) -> list[tuple[Group, slice]]:
        """Stretches of the trained weights that belong to one group, in their order."""
        found, start = [], 0
        for group, names in groupby(self.trained, rate_group):
            stop = start + sum(torch.Size(self.shapes[name]).numel() for name in names)
            found.append((group, slice(start, stop)))
            start = stop
        return found


def named_views(
    flat: Float[Tensor, "run weight"], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Tensor]:
    """Tensors ``[run, ...]`` by name, sharing memory with rows where they lie one after another.

    Args:
        flat: Rows. They may end before the last tensors, which are then left out.
        shapes: Shape of each tensor, without ``run``, in their order.
    """
    views, start = {}, 0
    for name, shape in shapes.items():
        stop = start + torch.Size(shape).numel()
        if stop <= flat.shape[1]:
            views[name] = flat[:, start:stop].unflatten(1, shape).detach()
        start = stop
    return views


def row_norms(flat: Float[Tensor, "run weight"]) -> Float64[Tensor, " run"]:
    """Euclidean norm of each run's row.

    One row after another, so that a run's sum has the same order of terms in every stack.
    """
    return torch.stack([torch.linalg.vector_norm(row, dtype=torch.float64) for row in flat])


def rate_group(name: str) -> Group:
    """Whether a parameter is of the embedding, of the read-out (its bias too) or of neither."""
    if name in ("W_E", "W_pos"):
        return "embed"
    return "unembed" if name in ("W_U", "b_U") else "rest"


_DECAY_GROUPS = {
    "pos": "embed",
    "ln": "norm",
    "attn.qk": "matrix",
    "attn.ov": "matrix",
    "mlp": "matrix",
}


def group_of(name: str) -> str:
    """Group of a parameter that may be exempt from decay: embed, unembed, bias, norm or matrix."""
    group = parameter_group(name)
    return _DECAY_GROUPS.get(group, group)
