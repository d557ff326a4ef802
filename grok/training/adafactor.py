"""Adafactor over a stack of runs.

Shapes: ``run`` - runs trained together; ``weight`` - every trained number of a run, flat;
``row``, ``column`` - of one matrix; ``n`` - entries of one tensor.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from grok.config import RunConfig
from grok.training.flat import Group, named_views
from grok.training.optim import StackOptimizer

Shapes = Mapping[str, tuple[int, ...]]

FLOOR_SQUARE = 1e-30
"""epsilon_1: added to squared gradients."""
FLOOR_SCALE = 1e-3
"""epsilon_2: least size that an update is relative to."""
CLIP = 1.0
"""d: largest root mean square of an update before it is scaled."""
DECAY_POWER = 0.8
"""The second moment keeps 1 - t^-0.8 of itself at update t, from 1."""


class Adafactor(StackOptimizer):
    r"""Updates relative to the size of the parameters, with factored second moments.

    For each tensor X with gradient G, at update t counted from 1,

    .. math::
        \hat V = \frac{r c^\top}{\bar r}, \quad U = \frac{G}{\sqrt{\hat V}}, \quad
        \hat U = \frac{U}{\max(1, \mathrm{RMS}(U) / d)}, \quad
        X \leftarrow X - \rho_t \max(\epsilon_2, \mathrm{RMS}(X)) \hat U

    where r and c are moving averages of the row and column means of :math:`G^2 + \epsilon_1` with
    decay :math:`1 - t^{-0.8}`; a vector keeps a whole second moment. :math:`\rho_t` is the learning
    rate of the update, schedule included: the authors' relative step
    :math:`\min(10^{-2}, 1 / \sqrt t)` is ``schedule`` inverse_sqrt with lr 0.01 and flat_steps
    10,000. There is no first moment. Decay is decoupled, :math:`\rho_t \lambda X`.

    Args:
        configs: One per run; they share schedule and warm-up.
        decays: Which weights decay; None for all.
        shapes: Shape of each trained parameter, without ``run``, in the order of the rows. Those
            with two axes are factored.
        dtype: Of the weights.
        device: Of the weights.
        groups: As for :class:`StackOptimizer`.

    Reference:
        Shazeer and Stern, `Adafactor: Adaptive Learning Rates with Sublinear Memory Cost
        <https://arxiv.org/abs/1804.04235>`_, algorithms 4 and 5.
    """

    def __init__(
        self,
        configs: Sequence[RunConfig],
        decays: Bool[Tensor, " weight"] | None,
        shapes: Shapes,
        dtype: torch.dtype,
        device: torch.device,
        groups: Sequence[tuple[Group, slice]] | None = None,
    ) -> None:
        n_weights = sum(torch.Size(shape).numel() for shape in shapes.values())
        super().__init__(configs, decays, n_weights, dtype, device, groups)
        self.shapes = shapes
        self._parts: dict[str, Shapes] = {
            "row": {name: shape[:-1] or shape for name, shape in shapes.items()},
            "column": {name: shape[1:] for name, shape in shapes.items() if len(shape) == 2},
        }
        for name, parts in self._parts.items():
            n = sum(torch.Size(shape).numel() for shape in parts.values())
            self.state[name] = torch.zeros(len(configs), n, dtype=dtype, device=device)

    def state_shapes(self, name: str) -> Shapes:
        """Shapes of the row or column means, or whole second moments, by parameter."""
        return self._parts[name]

    def _direction(self, theta: Tensor, grad: Tensor, t: int | Tensor) -> Tensor:
        """An update without its rate and without decay, tensor by tensor."""
        kept = 1 - (t + 1) ** -DECAY_POWER
        rows, columns = (named_views(self.state[name], self._parts[name]) for name in self._parts)
        tensors = named_views(theta, self.shapes)
        found = []
        for name, g in named_views(grad, self.shapes).items():
            update = g * _inverse_root(g, rows[name], columns.get(name), kept)
            update = update.flatten(1)
            update = update / (_rms(update) / CLIP).clamp(min=1)
            found.append(update * _rms(tensors[name].flatten(1)).clamp(min=FLOOR_SCALE))
        return torch.cat(found, dim=1)


def _inverse_root(g: Tensor, row: Tensor, column: Tensor | None, kept: float | Tensor) -> Tensor:
    """One over the root of the second moment, which is advanced, in factors for a matrix."""
    square = g.square() + FLOOR_SQUARE
    if column is None:
        return row.lerp_(square, 1 - kept).rsqrt()
    row.lerp_(square.mean(dim=-1), 1 - kept)
    column.lerp_(square.mean(dim=-2), 1 - kept)
    of_row = (row / row.mean(dim=-1, keepdim=True)).rsqrt()
    return of_row.unsqueeze(-1) * column.rsqrt().unsqueeze(-2)


def _rms(x: Float[Tensor, "run n"]) -> Float[Tensor, "run 1"]:
    return x.square().mean(dim=1, keepdim=True).sqrt()
