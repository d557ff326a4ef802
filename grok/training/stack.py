"""A stack of runs: R networks of one shape trained as one tensor program.

What is learnt, and by which network, is the stack's :class:`~grok.training.problem.Problem`.

Shapes: ``run`` - runs trained together; ``weight`` - every number of a run's parameters, flat,
the trained ones first.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from grok.measures.snapshot import Snapshot
from grok.training.adafactor import Adafactor
from grok.training.captured import CapturedUpdate, captured_update
from grok.training.curvature import hessian
from grok.training.dynamics import StepSums
from grok.training.flat import FlatLayout, row_norms
from grok.training.optim import StackOptimizer
from grok.training.precision import matmul_precision
from grok.training.problem import DTYPES, Problem

P = TypeVar("P", bound=Problem)


class Stack(Generic[P]):
    """Runs that are trained together, with their optimiser.

    The loss of a stack is the sum of its runs' mean losses, so each run's gradient is what it
    would be alone. A run whose loss or gradient stops being finite is marked and frozen at the
    parameters where that happened; nothing but that sum reduces over ``run``, so its neighbours'
    numbers keep their bits.

    On a CUDA device a block of updates is recorded and replayed where it can be
    (:mod:`~grok.training.captured`), and the host waits for nothing inside it.

    Args:
        problem: What the runs learn, and their configs.
    """

    def __init__(self, problem: P) -> None:
        self.problem = problem
        self.configs = problem.configs
        self.config = self.configs[0]
        self.device = problem.device
        self.dtype = DTYPES[self.config.dtype]
        self.step = 0
        self.alive = torch.ones(len(self.configs), dtype=torch.bool, device=self.device)
        self.ended = torch.full((len(self.configs),), -1, device=self.device)
        self.previous: Tensor | None = None
        self._place_parameters()

    def _place_parameters(self) -> None:
        """One row of weights per run, and views of it under the parameters' names."""
        self.layout = FlatLayout(self.problem.model)
        self.n_trained = self.layout.n_trained
        self.theta = self._rows_at_start()
        self.params = self.named(self.theta)
        self.leaves = [self.params[name].requires_grad_() for name in self.layout.trained]
        self.optimizer = self._chosen_optimizer()
        self.problem.start(self.params)
        self.sums: StepSums | None = None
        if self.config.measures.dynamics.enabled:
            lag = self.config.measures.dynamics.lag
            self.sums = StepSums(self.layout, self.optimizer, self.theta, lag)

    def _chosen_optimizer(self) -> StackOptimizer:
        decays = self.layout.decays(self.config.optim.decay_exempt)
        decays = None if decays is None else decays.to(self.device)
        groups = self.layout.groups() if any(c.optim.has_groups for c in self.configs) else None
        place = (self.dtype, self.device, groups)
        if self.config.optim.kind == "adafactor":
            shapes = {name: self.layout.shapes[name] for name in self.layout.trained}
            return Adafactor(self.configs, decays, shapes, *place)
        return StackOptimizer(self.configs, decays, self.n_trained, *place)

    def _rows_at_start(self) -> Float[Tensor, "run weight"]:
        rows = self.layout.rows([self.problem.initial(config) for config in self.configs])
        return rows.to(self.device, self.dtype)

    @cached_property
    def captured(self) -> CapturedUpdate | None:
        """The update recorded, when it is first asked for; None where it cannot be."""
        return captured_update(self)

    @cached_property
    def initial(self) -> Float[Tensor, "run weight"]:
        """Parameters at step 0, made from the seeds again by whoever asks first."""
        return self._rows_at_start()

    @cached_property
    def _initial_norms(self) -> Float[Tensor, " run"]:
        return row_norms(self.initial)

    def named(self, flat: Float[Tensor, "run weight"]) -> dict[str, Tensor]:
        """Parameters by name, ``[run, ...]``, as views of flat rows."""
        return self.layout.views(flat)

    def losses(self, step: int | None = None) -> Float[Tensor, " run"]:
        """Mean training loss of each run, with its graph.

        Args:
            step: Update whose mini-batch and dropout are used; None for the whole training data
                without dropout.
        """
        if step is None:
            return self.problem.whole_losses(self.params, self.step)
        return self.problem.losses(self.params, step)

    def gradient(self, step: int | None = None) -> tuple[Tensor, Float[Tensor, "run weight"]]:
        """Losses ``[run]`` and their gradients ``[run, trained weight]``, l1 penalty included."""
        losses = self.losses(step)
        parts = torch.autograd.grad(losses.sum(), self.leaves)
        # `grad` may hand back transposed layouts; flattening copies them into ours.
        grad = torch.cat([part.reshape(len(self.configs), -1) for part in parts], dim=1)
        if self.config.optim.l1:
            grad.add_(self.theta[:, : self.n_trained].sign(), alpha=self.config.optim.l1)
        return losses.detach(), grad

    @property
    def ended_at(self) -> list[int]:
        """Step at which each run was frozen; -1 for those that are not."""
        return self.ended.tolist()

    def update(self) -> None:
        """One optimiser update of every run that is alive."""
        if self.captured is None:
            self.update_at(self.step)
        else:
            self.captured(self.step)
        self.step += 1

    def update_at(self, t: int | Tensor) -> None:
        """The update of number t (from 0), which may be a number on the device.

        On a CPU the usual case, in which no run is frozen, needs no copy of what was before; on
        another device asking for it would make the host wait.
        """
        losses, grad = self.gradient(self.step)
        if self.sums is not None and self.previous is not None:
            self.sums.gradient = grad.clone()  # the optimiser uses it up
        # A sum is finite unless a term is not, and costs less than asking every term.
        finite = losses.isfinite() & grad.sum(dim=1).isfinite()
        theta = self.theta[:, : self.n_trained]
        if self.device.type == "cpu" and bool((finite & self.alive).all()):
            theta.add_(self.optimizer.delta(theta, grad, t))
        else:
            self._freeze(~finite, t)
            alive = self.alive.unsqueeze(1)
            delta = self.optimizer.delta_alive(theta, grad, t, alive)
            theta.copy_(torch.where(alive, theta + delta, theta))
        if self.config.optim.fixed_norm:
            self._rescale()

    def _rescale(self) -> None:
        """Scale the parameters of every run that is alive to their norm at step 0."""
        scale = torch.where(self.alive, self._initial_norms / row_norms(self.theta), 1.0)
        self.theta.mul_(scale.to(self.dtype).unsqueeze(1))

    def _freeze(self, which: Tensor, t: int | Tensor) -> None:
        """Stop updating these runs; they stay at step t, which they have reached."""
        self.ended.copy_(torch.where(which & self.alive, t, self.ended))
        self.alive.logical_and_(~which)

    def is_finite(self, run: int) -> bool:
        """Whether the run stands at a finite training loss."""
        with torch.no_grad():
            return bool(self.losses()[run].isfinite())

    def finish_run(self, run: int) -> None:
        """Freeze one run that needs no more training."""
        which = torch.zeros_like(self.alive)
        which[run] = True
        self._freeze(which, self.step)

    def advance(self, n_steps: int, should_stop: Callable[[], bool] = lambda: False) -> None:
        """A block of updates. Ends early when every run is frozen or ``should_stop()``.

        The parameters before the last update are kept, so that the update can be measured. Of
        recorded updates only the first is asked for: later ones are started before it is done.
        """
        sums = self.sums
        if sums is not None:
            sums.begin(self.theta)
        with torch.enable_grad(), matmul_precision(self.config.matmul_precision):
            for left in range(n_steps, 0, -1):
                is_asked = self.captured is None or left == n_steps
                if is_asked and (should_stop() or not bool(self.alive.any())):
                    break
                self.previous = self.theta.clone() if left == 1 else None
                if sums is not None:
                    sums.keep_lagged(self.theta, self.step)
                self.update()
                if sums is not None:
                    sums.add(self.theta, self.step - 1, self.alive)

    def run_step(self, run: int) -> int:
        """Updates the run has done."""
        return self.step if self.ended_at[run] < 0 else self.ended_at[run]

    def snapshot(self) -> Snapshot:
        """What measures read: parameters, and what is computed on demand.

        It is of the stack as it is now; take another after the next update.
        """
        previous, sums = self.previous, self.sums
        return Snapshot(
            self.step,
            self.named(self.theta),
            gradient=self._whole_gradient,
            delta=None if previous is None else lambda: self.named(self.theta - previous),
            initial=lambda: self.named(self.initial),
            hessian=lambda: hessian(self),
            dynamics=None if sums is None else lambda: sums.part(self.configs, self.step),
            measures=self.config.measures,
            active=self.alive.clone(),
            **self.problem.parts(self),
        )

    def _whole_gradient(self) -> dict[str, Tensor]:
        with torch.enable_grad():
            return self.named(self.gradient()[1])


def is_unfinished(stack: Stack, run: int) -> bool:
    """Whether a run is neither frozen nor at its last step."""
    return stack.ended_at[run] < 0 and stack.step < stack.configs[run].n_steps


def is_sparse(stack: Stack) -> bool:
    """Whether half of the runs or more are frozen, and not all: a smaller stack is faster."""
    n_frozen = sum(step >= 0 for step in stack.ended_at)
    return n_frozen < len(stack.ended_at) <= 2 * n_frozen
