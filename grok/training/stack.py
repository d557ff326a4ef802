"""A stack of runs: R networks of one shape trained as one tensor program.

Shapes: ``run`` - runs trained together; ``weight`` - every number of a run's parameters, flat,
the trained ones first; ``pair`` - rows of the operation table; ``train`` - pairs of the training
split; ``batch`` - pairs of one update.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from grok.config import RunConfig
from grok.data.pairs import PairData, batch_rows, is_commutative, mirrored
from grok.measures.snapshot import Kernels, Snapshot
from grok.metrics.loss import cross_entropy, mse
from grok.models.config import Form, training_form
from grok.models.forms import logits as form_logits
from grok.models.transformer import Dropout, Transformer
from grok.training.compat import check_stackable
from grok.training.dropout import dropout
from grok.training.flat import FlatLayout
from grok.training.kernel import tangent_kernels
from grok.training.optim import StackOptimizer
from grok.training.probe import probe_snapshot

DTYPES = {"float32": torch.float32, "float64": torch.float64}


class Stack:
    """Runs that are trained together, with their data and optimiser.

    The loss of a stack is the sum of its runs' mean losses, so each run's gradient is what it
    would be alone. A run whose loss or gradient stops being finite is marked and frozen at the
    parameters where that happened; nothing but that sum reduces over ``run``, so its neighbours'
    numbers keep their bits.

    Args:
        configs: One per run. They may differ in seeds, split, rates, decay, betas, readout
            scale, temperature and initial scale; see :func:`check_stackable`.
        data: Pairs of each run.
        device: Where everything lives.
        form: Forced form of the network, for tests and measurements; None takes the cheapest.
    """

    def __init__(
        self,
        configs: Sequence[RunConfig],
        data: Sequence[PairData],
        device: torch.device | str = "cpu",
        form: Form | None = None,
    ) -> None:
        check_stackable(configs)
        self.configs = tuple(configs)
        self.config = configs[0]
        self.data = tuple(data)
        self.device = torch.device(device)
        self.dtype = DTYPES[self.config.dtype]
        self.model = Transformer(self.config.model, data[0].n)
        self.n_batch = self.config.data.batch_size or len(data[0].train)
        self.form: Form = form or training_form(self.model.config, self.n_batch)
        self.step = 0
        self.alive = torch.ones(len(configs), dtype=torch.bool, device=self.device)
        self.ended_at = [-1] * len(configs)
        self.previous: Tensor | None = None
        self._place_data()
        self._place_parameters()

    def _place_data(self) -> None:
        """Pairs of every run on the device, ``[run, pair]``, and the per-run scales."""
        self.a = torch.stack([d.a for d in self.data]).to(self.device)
        self.b = torch.stack([d.b for d in self.data]).to(self.device)
        self.c = torch.stack([d.c for d in self.data]).to(self.device)
        self.train = torch.stack([d.train for d in self.data]).to(self.device)
        self.test = torch.stack([d.test for d in self.data]).to(self.device)
        self._train_batch = tuple(x.gather(1, self.train) for x in (self.a, self.b, self.c))
        self.mirrored: Tensor | None = None
        if all(is_commutative(d) for d in self.data):
            self.mirrored = torch.stack([mirrored(d) for d in self.data]).to(self.device)
        models = [c.model for c in self.configs]
        self.readout_scale = self._column([m.readout_scale for m in models])
        self.temperature = self._column([m.temperature for m in models])

    def _column(self, values: list[float]) -> Float[Tensor, "run 1 1"]:
        return torch.tensor(values, dtype=self.dtype, device=self.device).reshape(-1, 1, 1)

    def _place_parameters(self) -> None:
        """One row of weights per run, and views of it under the parameters' names."""
        self.layout = FlatLayout(self.model)
        self.n_trained = self.layout.n_trained
        self.theta = self.layout.initial(self.configs).to(self.device, self.dtype)
        self.params = self.named(self.theta)
        self.leaves = [self.params[name].requires_grad_() for name in self.layout.trained]
        decays = self.layout.decays(self.config.optim.decay_exempt)
        self.optimizer = StackOptimizer(
            self.configs,
            None if decays is None else decays.to(self.device),
            self.n_trained,
            self.dtype,
            self.device,
        )
        self.initial_logits = self._initial_logits()

    @cached_property
    def initial(self) -> Float[Tensor, "run weight"]:
        """Parameters at step 0, made from the seeds again by whoever asks first."""
        return self.layout.initial(self.configs).to(self.device, self.dtype)

    @cached_property
    def initial_kernels(self) -> Kernels:
        """Tangent kernels at step 0."""
        return tangent_kernels(self, self.initial)

    def named(self, flat: Float[Tensor, "run weight"]) -> dict[str, Tensor]:
        """Parameters by name, ``[run, ...]``, as views of flat rows."""
        return self.layout.views(flat)

    def _initial_logits(self) -> Tensor | None:
        """f(x, theta_0) of every pair, if the runs subtract it."""
        if not self.config.model.subtract_initial:
            return None
        with torch.no_grad():
            form: Form = "token" if self.form == "folded" else self.form
            return form_logits(self.model, self.params, self.a, self.b, form).clone()

    def readout(self, f: Tensor, rows: Tensor | None) -> Float[Tensor, "run batch cls"]:
        """What loss and accuracy see, before the temperature: h = alpha (f - f_0)."""
        if self.initial_logits is not None:
            initial = self.initial_logits
            if rows is not None:
                initial = initial.take_along_dim(rows.unsqueeze(-1), dim=1)
            f = f - initial
        return self.readout_scale * f

    def losses(self, step: int | None = None) -> Float[Tensor, " run"]:
        """Mean training loss of each run, with its graph.

        Args:
            step: Update whose mini-batch and dropout are used; None for all training pairs
                without dropout.
        """
        rows, (a, b, c) = self.train, self._train_batch
        if step is not None and self.config.data.batch_size:
            rows = self._batch(step)
            a, b, c = (x.gather(1, rows) for x in (self.a, self.b, self.c))
        drop = self._dropout(step)
        f = form_logits(self.model, self.params, a, b, self.form, drop)
        return self.loss(self.readout(f, rows), c, DTYPES[self.config.optim.loss_dtype])

    def loss(self, h: Tensor, labels: Tensor, dtype: torch.dtype) -> Float[Tensor, " run"]:
        """Mean loss of each run, without penalties, at its temperature."""
        metric = cross_entropy if self.config.optim.loss == "cross_entropy" else mse
        return metric(h / self.temperature, labels, dtype)

    def _batch(self, step: int) -> Tensor:
        """Training rows of each run's mini-batch."""
        rows = [
            batch_rows(d.train, self.n_batch, c.data.order_seed, step)
            for d, c in zip(self.data, self.configs, strict=True)
        ]
        return torch.stack(rows).to(self.device)

    def _dropout(self, step: int | None) -> Dropout | None:
        """Dropout of one update; None in evaluation and where there is none."""
        rate = self.config.model.dropout
        if step is None or rate == 0:
            return None
        return dropout(rate, [c.data.order_seed for c in self.configs], step)

    def gradient(self, step: int | None = None) -> tuple[Tensor, Float[Tensor, "run weight"]]:
        """Losses ``[run]`` and their gradients ``[run, trained weight]``, l1 penalty included."""
        losses = self.losses(step)
        parts = torch.autograd.grad(losses.sum(), self.leaves)
        # `grad` may hand back transposed layouts; flattening copies them into ours.
        grad = torch.cat([part.reshape(len(self.configs), -1) for part in parts], dim=1)
        if self.config.optim.l1:
            grad.add_(self.theta[:, : self.n_trained].sign(), alpha=self.config.optim.l1)
        return losses.detach(), grad

    def update(self) -> None:
        """One optimiser update of every run that is alive."""
        losses, grad = self.gradient(self.step)
        # A sum is finite unless a term is not, and costs less than asking every term.
        finite = losses.isfinite() & grad.sum(dim=1).isfinite()
        all_finite = bool(finite.all())
        if not all_finite:
            self._freeze(self.alive & ~finite)
        theta = self.theta[:, : self.n_trained]
        if all_finite and bool(self.alive.all()):
            theta.add_(self.optimizer.delta(theta, grad, self.step))
        else:
            alive = self.alive.unsqueeze(1)
            delta = self.optimizer.delta_alive(theta, grad, self.step, alive)
            theta.copy_(torch.where(alive, theta + delta, theta))
        self.step += 1

    def _freeze(self, which: Tensor) -> None:
        """Stop updating these runs; they stay at the step they have reached."""
        for run in which.nonzero().flatten().tolist():
            self.ended_at[run] = self.step
        self.alive = self.alive & ~which

    def is_finite(self, run: int) -> bool:
        """Whether the run stands at a finite training loss."""
        with torch.no_grad():
            return bool(self.losses()[run].isfinite())

    def finish_run(self, run: int) -> None:
        """Freeze one run that needs no more training."""
        which = torch.zeros_like(self.alive)
        which[run] = True
        self._freeze(which & self.alive)

    def advance(self, n_steps: int, should_stop: Callable[[], bool] = lambda: False) -> None:
        """A block of updates. Ends early when every run is frozen or ``should_stop()``.

        The parameters before the last update are kept, so that the update can be measured.
        """
        with torch.enable_grad():
            for left in range(n_steps, 0, -1):
                if should_stop() or not bool(self.alive.any()):
                    break
                self.previous = self.theta.clone() if left == 1 else None
                self.update()

    def run_step(self, run: int) -> int:
        """Updates the run has done."""
        return self.step if self.ended_at[run] < 0 else self.ended_at[run]

    def snapshot(self) -> Snapshot:
        """What measures read: parameters, and probe activations computed on demand."""
        return probe_snapshot(self)
