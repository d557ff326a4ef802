"""The problem of pairs: an operation table, the tokens ``a b =``, a class per element.

Shapes: ``run`` - runs trained together; ``pair`` - rows of the operation table; ``train`` - pairs
of the training split; ``batch`` - pairs of one update; ``cls`` - output classes.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grok.config import RunConfig
from grok.data.pairs import PairData, batch_rows, is_commutative, mirrored
from grok.measures.snapshot import Kernels
from grok.models.config import Form, training_form
from grok.models.forms import logits as form_logits
from grok.models.init import initial_parameters
from grok.models.table_form import Places, places
from grok.models.transformer import Transformer
from grok.training.compat import check_stackable
from grok.training.dropout import update_dropout
from grok.training.kernel import tangent_kernels
from grok.training.probe import pair_parts
from grok.training.problem import DTYPES
from grok.training.readout import mean_loss, per_run

if TYPE_CHECKING:
    from grok.training.stack import Stack


class PairProblem:
    """Pairs of an operation, and a transformer that is read at ``=``.

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
        self.model = Transformer(self.config.model, data[0].n)
        self.n_batch = self.config.data.batch_size or len(data[0].train)
        looks_up = self.is_fixed and self.device.type == "cpu"
        self.form: Form = form or training_form(self.model.config, self.n_batch, looks_up=looks_up)
        self.initial_logits: Tensor | None = None
        self._initial_kernels: Kernels | None = None
        self._place_data()

    def _place_data(self) -> None:
        """Pairs of every run on the device, ``[run, pair]``, and the per-run scales."""
        self.a = torch.stack([d.a for d in self.data]).to(self.device)
        self.b = torch.stack([d.b for d in self.data]).to(self.device)
        self.c = torch.stack([d.c for d in self.data]).to(self.device)
        self.train = torch.stack([d.train for d in self.data]).to(self.device)
        self.test = torch.stack([d.test for d in self.data]).to(self.device)
        self._train_batch = tuple(x.gather(1, self.train) for x in (self.a, self.b, self.c))
        self._places: Places | None = None
        if self.form == "table" and self.is_fixed:
            a, b, _ = self._train_batch
            self._places = places(self.model.n, self.config.model.n_heads, a, b)
        self.mirrored: Tensor | None = None
        if all(is_commutative(d) for d in self.data):
            self.mirrored = torch.stack([mirrored(d) for d in self.data]).to(self.device)
        models, dtype = [c.model for c in self.configs], DTYPES[self.config.dtype]
        self.readout_scale = per_run([m.readout_scale for m in models], dtype, self.device)
        self.temperature = per_run([m.temperature for m in models], dtype, self.device)

    @property
    def is_fixed(self) -> bool:
        """Whether every update sees all training pairs, without dropout."""
        return not self.config.data.batch_size and not self.config.model.dropout

    def initial(self, config: RunConfig) -> Mapping[str, Tensor]:
        """Parameters of one run at step 0, from ``model.init_seed``."""
        return initial_parameters(Transformer(config.model, self.model.n), config.model.init_seed)

    def start(self, params: Mapping[str, Tensor]) -> None:
        """Keep f(x, theta_0) of every pair, if the runs subtract it."""
        if not self.config.model.subtract_initial:
            return
        with torch.no_grad():
            form: Form = "token" if self.form in ("folded", "table") else self.form
            self.initial_logits = form_logits(self.model, params, self.a, self.b, form).clone()

    def readout(self, f: Tensor, rows: Tensor | None) -> Float[Tensor, "run batch cls"]:
        """What loss and accuracy see, before the temperature: h = alpha (f - f_0)."""
        if self.initial_logits is not None:
            initial = self.initial_logits
            if rows is not None:
                initial = initial.take_along_dim(rows.unsqueeze(-1), dim=1)
            f = f - initial
        return self.readout_scale * f

    def losses(self, params: Mapping[str, Tensor], step: int) -> Float[Tensor, " run"]:
        """Mean loss of each run on the mini-batch of an update, with its dropout."""
        rows, batch = self.train, self._train_batch
        if self.config.data.batch_size:
            rows = self.batch(step)
            batch = tuple(x.gather(1, rows) for x in (self.a, self.b, self.c))
        a, b, c = batch
        drop = update_dropout(self.configs, step)
        f = form_logits(self.model, params, a, b, self.form, drop, self._places)
        return self.loss(self.readout(f, rows), c, DTYPES[self.config.optim.loss_dtype])

    def whole_losses(self, params: Mapping[str, Tensor], step: int) -> Float[Tensor, " run"]:
        """Mean loss of each run on all training pairs, at whatever step."""
        del step
        a, b, c = self._train_batch
        f = form_logits(self.model, params, a, b, self.form, where=self._places)
        return self.loss(self.readout(f, self.train), c, DTYPES[self.config.optim.loss_dtype])

    def loss(self, h: Tensor, labels: Tensor, dtype: torch.dtype) -> Float[Tensor, " run"]:
        """Mean loss of each run, without penalties, at its temperature."""
        return mean_loss(self.config, h, labels, self.temperature, dtype)

    def batch(self, step: int) -> Int[Tensor, "run batch"]:
        """Training rows of each run's mini-batch."""
        rows = [
            batch_rows(d.train, self.n_batch, c.data.order_seed, step)
            for d, c in zip(self.data, self.configs, strict=True)
        ]
        return torch.stack(rows).to(self.device)

    def parts(self, stack: "Stack[PairProblem]") -> dict[str, Any]:
        """What measures can ask of a network on pairs."""
        return pair_parts(stack)

    def initial_kernels(self, stack: "Stack[PairProblem]") -> Kernels:
        """Tangent kernels at step 0, computed when they are first asked for."""
        if self._initial_kernels is None:
            self._initial_kernels = tangent_kernels(stack, stack.initial)
        return self._initial_kernels

    def alone(self, run: int) -> "PairProblem":
        """The problem of one of the runs, in a form that has second derivatives."""
        form: Form = "folded" if self.form == "table" else self.form
        return PairProblem((self.configs[run],), (self.data[run],), self.device, form)
