"""AdamW, Adam and SGD over a stack of runs, each run with its own hyper-parameters.

Shapes: ``run`` - runs trained together; ``weight`` - every trained number of a run, flat.

All parameters of a run lie in one row, so a step is a handful of elementwise operations on
one ``[run, weight]`` tensor, whatever the number of matrices. Hyper-parameters are columns
``[run, 1]`` even when they are equal: a run's numbers then do not depend on its neighbours'.
Where embedding or read-out have a rate or decay of their own, the last operations of a step go
segment by segment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from grok.config import RunConfig
from grok.config.rate import rate_factor
from grok.training.flat import Group

MOMENTS: dict[str, tuple[str, ...]] = {
    "adamw": ("exp_avg", "exp_avg_sq"),
    "adam": ("exp_avg", "exp_avg_sq"),
    "sgd": ("momentum",),
    "adafactor": (),
}
"""States as long as a run's row, by update rule."""


@dataclass(frozen=True)
class _Segment:
    """Consecutive weights with one rate and decay per run."""

    part: slice
    lr: Float[Tensor, "run 1"]
    """Without warm-up; float64."""
    decay: Tensor
    """Per run, ``[run, 1]``, or per run and weight where some are exempt."""
    has_decay: bool


class StackOptimizer:
    r"""One of three update rules, per run; :class:`~grok.training.adafactor.Adafactor` is a fourth.

    - ``adamw`` (Loshchilov and Hutter 2019): :math:`\theta \leftarrow (1 - \eta\lambda)\theta`,
      then Adam;
    - ``adam``: Adam on :math:`g + \lambda\theta`;
    - ``sgd``: :math:`\theta \leftarrow \theta - \eta u`, :math:`u \leftarrow \mu u + g +
      \lambda\theta`.

    They agree with ``torch.optim`` to rounding. With ``eps`` 0 a weight whose gradient has been
    exactly 0 since the start becomes 0/0, as in torch.

    Args:
        configs: One per run; they share kind, eps, momentum and warm-up.
        decays: Which weights decay; None for all.
        n_weights: Length of a run's row.
        dtype: Of the weights.
        device: Of the weights.
        groups: Which weights are embedding, read-out or neither; None where none has a rate or
            decay of its own.
    """

    def __init__(
        self,
        configs: Sequence[RunConfig],
        decays: Bool[Tensor, " weight"] | None,
        n_weights: int,
        dtype: torch.dtype,
        device: torch.device,
        groups: Sequence[tuple[Group, slice]] | None = None,
    ) -> None:
        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float64, device=device).unsqueeze(1)

        self.config = configs[0].optim
        self.dtype = dtype
        self.segments = []
        for group, part in groups or [("rest", slice(None))]:
            decay = column([c.weight_decay_of(group) for c in configs]).to(dtype)
            if decays is not None:
                decay = decay * decays[part]
            lr = column([c.lr_of(group) for c in configs])
            self.segments.append(_Segment(part, lr, decay, bool(decay.any())))
        self.beta1 = column([c.optim.betas[0] for c in configs])
        self.beta2 = column([c.optim.betas[1] for c in configs])
        self.rate = torch.ones((), dtype=torch.float64, device=device)
        self.state = {
            name: torch.zeros(len(configs), n_weights, dtype=dtype, device=device)
            for name in MOMENTS[self.config.kind]
        }

    def state_shapes(self, name: str) -> Mapping[str, tuple[int, ...]] | None:
        """Shape of a state's part for each parameter that has one; None for that of parameters."""
        del name
        return None

    def learning_rate(self, t: int | Tensor, segment: int = 0) -> Float[Tensor, "run 1"]:
        """Rate of update t (from 0) of a segment's weights, warm-up and schedule included.

        Of an update whose number is on the device ``rate`` is the share that these leave, which
        whoever starts the update has put there.
        """
        is_there = isinstance(t, Tensor)
        return self.segments[segment].lr * (self.rate if is_there else rate_factor(self.config, t))

    def delta(
        self,
        theta: Float[Tensor, "run weight"],
        grad: Float[Tensor, "run weight"],
        t: int | Tensor,
    ) -> Float[Tensor, "run weight"]:
        """What update t (from 0) adds to theta. Advances the moments; uses up ``grad``."""
        if self.config.kind in ("adam", "sgd"):
            for segment in self.segments:
                grad[:, segment.part].addcmul_(segment.decay, theta[:, segment.part])
        delta = self._direction(theta, grad, t)
        for index, segment in enumerate(self.segments):
            self._scale(delta[:, segment.part], theta[:, segment.part], index, t)
        return delta

    def _direction(self, theta: Tensor, grad: Tensor, t: int | Tensor) -> Tensor:
        """An update without its rate and without decoupled decay."""
        del theta
        return self._momentum(grad) if self.config.kind == "sgd" else self._adam(grad, t)

    def _scale(self, delta: Tensor, theta: Tensor, index: int, t: int | Tensor) -> None:
        """Multiply a segment of an update by minus its rate, and decay."""
        lr, decay = self.learning_rate(t, index), self.segments[index].decay
        if self.config.kind in ("adamw", "adam"):
            delta.mul_((-lr / (1 - self.beta1 ** (t + 1))).to(self.dtype))
        else:
            delta.mul_((-lr).to(self.dtype))
        if self.config.kind in ("adamw", "adafactor") and self.segments[index].has_decay:
            delta.sub_((lr.to(self.dtype) * decay) * theta)

    def _momentum(self, grad: Tensor) -> Tensor:
        """A copy of sgd's velocity."""
        return self.state["momentum"].mul_(self.config.momentum).add_(grad).clone()

    def delta_alive(
        self,
        theta: Float[Tensor, "run weight"],
        grad: Float[Tensor, "run weight"],
        t: int | Tensor,
        alive: Bool[Tensor, "run 1"],
    ) -> Float[Tensor, "run weight"]:
        """As :meth:`delta`, but the moments of runs that are not alive stay as they are."""
        before = {name: moment.clone() for name, moment in self.state.items()}
        delta = self.delta(theta, grad, t)
        for name, moment in self.state.items():
            moment.copy_(torch.where(alive, moment, before[name]))
        return delta

    def _adam(self, grad: Tensor, t: int | Tensor) -> Tensor:
        """Adam's step from the two moments, without its rate and the first one's correction."""
        beta1, beta2 = self.beta1, self.beta2
        mean = self.state["exp_avg"]
        square = self.state["exp_avg_sq"]
        mean.mul_(beta1.to(self.dtype)).addcmul_(grad, (1 - beta1).to(self.dtype))
        square.mul_(beta2.to(self.dtype)).addcmul_(grad.mul_(grad), (1 - beta2).to(self.dtype))
        scale = (1 - beta2 ** (t + 1)).rsqrt().to(self.dtype)
        denominator = (square.sqrt() * scale).add_(self.config.eps)
        return mean / denominator
