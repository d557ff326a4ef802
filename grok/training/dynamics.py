"""Sums over every update of a stack, from which the dynamics of norms are read.

Shapes: ``run`` - runs trained together; ``weight`` - numbers of a run's parameters, flat, the
trained ones first; ``parameter`` - tensors that change, in that order.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from grok.config import RunConfig
from grok.config.schema import OptimConfig
from grok.measures.snapshot import Dynamics
from grok.training.flat import FlatLayout
from grok.training.optim import StackOptimizer

PREFIX = "dynamics."
"""Beginning of the names under which a checkpoint has the sums."""


def has_decay_part(optim: OptimConfig) -> bool:
    """Whether an update has the part - eta lambda theta, decoupled or by a gradient's L2 term.

    Adam divides that term by the root of its second moment, and momentum spreads it over updates.
    """
    return optim.kind in ("adamw", "adafactor") or (optim.kind == "sgd" and not optim.momentum)


class StepSums:
    """For each run and parameter: sums of |delta|^2, theta . delta and eta |theta|^2.

    delta is what an update changed, whatever the optimiser did: theta before it plus delta is theta
    after it, in float64. Only reads the parameters.

    Args:
        layout: Where each parameter lies in a row.
        optimizer: Has rates and decays.
        theta: Parameters at step 0.
        lag: Updates between the parameters whose directions are compared; 0 for none.
    """

    def __init__(
        self,
        layout: FlatLayout,
        optimizer: StackOptimizer,
        theta: Float[Tensor, "run weight"],
        lag: int,
    ) -> None:
        self.layout, self.optimizer, self.lag = layout, optimizer, lag
        # Scaling a run to a norm moves what is not trained, too.
        self.names = list(layout.shapes) if optimizer.config.fixed_norm else layout.trained
        sizes = [torch.Size(layout.shapes[name]).numel() for name in self.names]
        self.ends = list(accumulate(sizes))
        self._sizes = torch.tensor(sizes, device=theta.device).repeat(len(theta))
        self._place_rates()
        self._now = self._wide(theta)
        self.start = self._by_parameter(self._now.square())
        names = ("squares", "cross", "rate_squares")
        self.state = {name: torch.zeros_like(self.start) for name in names}
        self.lagged: Tensor | None = None
        self.gradient: Tensor | None = None

    def _place_rates(self) -> None:
        """The optimiser's segment of each trained parameter; decays ``[run, parameter]``."""
        segments = self.optimizer.segments
        ranges = [range(self.layout.n_trained)[segment.part] for segment in segments]
        starts = [0, *self.ends][: len(self.layout.trained)]
        self._segments = [next(i for i, r in enumerate(ranges) if at in r) for at in starts]
        decays = []
        for at, index in zip(starts, self._segments, strict=True):
            decay = segments[index].decay.double()
            column = 0 if decay.shape[1] == 1 else at - ranges[index].start
            decays.append(decay[:, column : column + 1])
        self.decays = self._columns(decays)

    def _columns(
        self, trained: Sequence[Float64[Tensor, "run 1"]]
    ) -> Float64[Tensor, "run parameter"]:
        """A value of each trained parameter as a table; 0 for those that are not trained."""
        n_others = len(self.names) - len(trained)
        return torch.nn.functional.pad(torch.cat(list(trained), dim=1), (0, n_others))

    def _wide(self, theta: Tensor) -> Float64[Tensor, "run weight"]:
        """A copy of the parameters that change."""
        return theta[:, : self.ends[-1]].to(torch.float64, copy=True)

    def _by_parameter(self, x: Float64[Tensor, "run weight"]) -> Float64[Tensor, "run parameter"]:
        """Sum over each parameter's weights; a run's does not depend on its neighbours."""
        if x.device.type == "cpu":  # where numpy is three times as fast
            return torch.from_numpy(np.add.reduceat(x.numpy(), [0, *self.ends[:-1]], axis=1))
        sums = torch.segment_reduce(x.flatten(), "sum", lengths=self._sizes, unsafe=True)
        return sums.unflatten(0, (len(x), len(self.ends)))

    def rates(self, t: int) -> Float64[Tensor, "run parameter"]:
        """Learning rate of update t (from 0), warm-up and schedule included."""
        n_segments = len(self.optimizer.segments)
        columns = [self.optimizer.learning_rate(t, segment) for segment in range(n_segments)]
        return self._columns([columns[segment] for segment in self._segments])

    def begin(self, theta: Float[Tensor, "run weight"]) -> None:
        """Told the parameters before a block of updates."""
        self._now, self.gradient = self._wide(theta), None

    def keep_lagged(self, theta: Float[Tensor, "run weight"], step: int) -> None:
        """Told the parameters before each update: keeps those of a multiple of the lag."""
        if self.lag and step % self.lag == 0:
            self.lagged = theta.clone()

    @torch.no_grad()
    def add(self, theta: Float[Tensor, "run weight"], t: int, alive: Bool[Tensor, " run"]) -> None:
        """Told the parameters after each update, its number (from 0) and which runs it was of."""
        before, self._now = self._now, self._wide(theta)
        theta_squares = self.start + self.state["squares"] + 2 * self.state["cross"]
        self.state["rate_squares"] += self.rates(t) * theta_squares * alive.unsqueeze(1)
        delta = self._now - before
        self.state["cross"] += self._by_parameter(before.mul_(delta))
        self.state["squares"] += self._by_parameter(delta.mul_(delta))

    def part(self, configs: Sequence[RunConfig], step: int) -> Dynamics:
        """What measures read of these runs after ``step`` updates."""
        config = configs[0]
        rates = self.rates(step - 1) if step else torch.zeros_like(self.start)
        named = [*(self.state[n] for n in ("squares", "cross", "rate_squares")), rates, self.decays]
        is_lagged = self.lagged is not None and step > 0 and step % self.lag == 0
        views = self.layout.views
        return Dynamics(
            *(dict(zip(self.names, x.unbind(dim=1), strict=True)) for x in named),
            has_decay_part=has_decay_part(config.optim),
            gradient=None if self.gradient is None else views(self.gradient),
            lagged=views(self.lagged) if is_lagged and self.lagged is not None else None,
            temperature=self._temperatures(configs),
            sets=config.measures.dynamics.sets,
        )

    def _temperatures(self, configs: Sequence[RunConfig]) -> Float64[Tensor, " run"] | None:
        if configs[0].optim.loss != "cross_entropy":
            return None
        values = [config.model.temperature for config in configs]
        return torch.tensor(values, dtype=torch.float64, device=self.start.device)

    def of_run(self, run: int) -> dict[str, Tensor]:
        """What a checkpoint holds of one run, by name."""
        found = {PREFIX + name: x[run].cpu() for name, x in self.state.items()}
        lagged = {} if self.lagged is None else self.layout.views(self.lagged)
        return found | {self._lagged(name): x[run].cpu() for name, x in lagged.items()}

    def _lagged(self, name: str) -> str:
        return f"{PREFIX}lagged_{self.lag}.{name}"

    def restore(self, run: int, theta: Tensor, saved: Mapping[str, Tensor]) -> bool:
        """Put the sums of one run back; False if they were not kept, or for other parameters."""
        for name, sums in self.state.items():
            found = saved.get(PREFIX + name)
            if found is None or found.shape != sums.shape[1:]:
                return False
            sums[run].copy_(found)
        self._restore_lagged(run, theta, saved)
        return True

    def _restore_lagged(self, run: int, theta: Tensor, saved: Mapping[str, Tensor]) -> None:
        """Those of another lag are of no use: the next multiple of this one is."""
        lagged = self.layout.views(theta if self.lagged is None else self.lagged)
        if any(self._lagged(name) not in saved for name in lagged):
            self.lagged = None
            return
        if self.lagged is None:
            self.lagged = theta.clone()
        for name, view in self.layout.views(self.lagged).items():
            view[run].copy_(saved[self._lagged(name)])
