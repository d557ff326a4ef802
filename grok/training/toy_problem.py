"""The toy problem: pairs of symbols, read as a combination of embeddings that a decoder answers.

Shapes: ``run`` - runs trained together; ``pair`` - all pairs of symbols; ``train`` - pairs of the
training split; ``batch`` - pairs of one update; ``label``; ``out`` - numbers that the decoder
writes.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from grok.config import RunConfig
from grok.data.pairs import batch_rows
from grok.data.toy import ToyData, toy_data
from grok.measures.snapshot import Symbols
from grok.metrics.homogeneity import Network
from grok.metrics.loss import cross_entropy
from grok.models.activations import Dropout
from grok.models.toy import ToyNetwork, toy_parameters
from grok.training.compat import check_stackable
from grok.training.dropout import update_dropout
from grok.training.problem import DTYPES

if TYPE_CHECKING:
    from grok.training.stack import Stack


class ToyProblem:
    """Pairs of symbols from a fixed training set.

    Under ``mse`` a *logit* is minus the squared distance to a label's target, so that the largest
    one is the answer and the loss of an answer is minus its logit over the numbers of a target.

    Args:
        configs: One per run. They may differ in seeds, rates, decays, betas and initial scales.
        data: Pairs, split and targets of each run; None to draw them.
        device: Where everything lives.
    """

    def __init__(
        self,
        configs: Sequence[RunConfig],
        data: Sequence[ToyData] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        check_stackable(configs)
        self.configs, self.config = tuple(configs), configs[0]
        self.device = torch.device(device)
        self.model = self._network(self.config)
        self.data = tuple(data or [_data(config) for config in configs])
        self.is_regression = self.config.optim.loss == "mse"
        self._place_data()

    def _network(self, config: RunConfig) -> ToyNetwork:
        return ToyNetwork(config.toy, config.toy.outputs(config.optim.loss))

    def _place_data(self) -> None:
        """Rows of both splits, symbols, labels and targets on the device."""
        dtype = DTYPES[self.config.dtype]
        self.train = torch.stack([d.train for d in self.data]).to(self.device)
        self.test = torch.stack([d.test for d in self.data]).to(self.device)
        first = self.data[0]
        self.a, self.b, self.label = (x.to(self.device) for x in (first.a, first.b, first.label))
        self.targets = torch.stack([d.targets for d in self.data]).to(self.device)
        self._train_batch = self._batch(self.train)
        l1 = [config.toy.embed_l1 for config in self.configs]
        self._embed_l1 = torch.tensor(l1, device=self.device, dtype=dtype) if any(l1) else None

    def _batch(self, rows: Int[Tensor, "run batch"]) -> tuple[Tensor, ...]:
        """Symbols, labels and the labels' targets of some pairs of each run."""
        label = self.label[rows]
        targets = self.targets.take_along_dim(label.unsqueeze(-1), dim=1)
        return self.a[rows], self.b[rows], label, targets

    @property
    def is_fixed(self) -> bool:
        """Whether every update sees all training pairs, without dropout."""
        return not self._is_batched and not self.config.toy.dropout

    @property
    def _is_batched(self) -> bool:
        return 0 < self.config.toy.batch_size < self.config.toy.n_train

    def initial(self, config: RunConfig) -> Mapping[str, Tensor]:
        """Parameters of one run at step 0, from ``model.init_seed``."""
        return toy_parameters(self._network(config), config.model.init_seed)

    def start(self, params: Mapping[str, Tensor]) -> None:
        """Nothing: no reading or loss needs the network at step 0."""

    def losses(self, params: Mapping[str, Tensor], step: int) -> Float[Tensor, " run"]:
        """Mean loss of each run on the mini-batch of an update, with its dropout and penalty."""
        batch = self._train_batch
        if self._is_batched:
            n_batch = self.config.toy.batch_size
            rows = [
                batch_rows(d.train, n_batch, c.data.order_seed, step)
                for d, c in zip(self.data, self.configs, strict=True)
            ]
            batch = self._batch(torch.stack(rows).to(self.device))
        losses = self._mean_loss(params, batch, update_dropout(self.configs, step))
        if self._embed_l1 is not None:
            losses = losses + self._embed_l1 * params["W_E"].abs().mean(dim=(1, 2))
        return losses

    def whole_losses(self, params: Mapping[str, Tensor], step: int) -> Float[Tensor, " run"]:
        """Mean loss of each run on all training pairs, without penalty, at whatever step."""
        del step
        return self._mean_loss(params, self._train_batch)

    def _mean_loss(
        self,
        params: Mapping[str, Tensor],
        batch: tuple[Tensor, ...],
        drop: Dropout | None = None,
    ) -> Float[Tensor, " run"]:
        a, b, label, targets = batch
        out = self.model.decode(params, self.model.read(params["W_E"], a, b), drop)
        dtype = DTYPES[self.config.optim.loss_dtype]
        if self.is_regression:
            return (out.to(dtype) - targets.to(dtype)).square().mean(dim=(1, 2))
        return cross_entropy(out, label, dtype)

    def logits(self, params: Mapping[str, Tensor]) -> Float[Tensor, "run pair label"]:
        """Logits of every pair; minus squared distances to the targets under ``mse``, float64."""
        a, b = (x.expand(len(self.configs), -1) for x in (self.a, self.b))
        out = self.model.decode(params, self.model.read(params["W_E"], a, b))
        if not self.is_regression:
            return out
        apart = rearrange(out.double(), "run pair out -> run pair 1 out")
        return -(apart - self.targets.unsqueeze(1)).square().sum(dim=-1)

    def loss(self, logits: Tensor, labels: Int[Tensor, "run batch"]) -> Float[Tensor, " run"]:
        """Mean loss of each run, without penalties, from :meth:`logits`; float64."""
        if not self.is_regression:
            return cross_entropy(logits, labels)
        own = logits.take_along_dim(labels.unsqueeze(-1), dim=-1)
        return -own.mean(dim=(1, 2)) / self.model.n_out

    def parts(self, stack: "Stack[ToyProblem]") -> dict[str, Any]:
        """What measures can ask of a toy network: arguments of a snapshot."""
        logits = cache(lambda: self.logits(stack.params))

        def predictions() -> dict[str, tuple[Tensor, Tensor]]:
            splits = {"train": self.train, "test": self.test}
            return {
                split: (logits().take_along_dim(rows.unsqueeze(-1), dim=1), self.label[rows])
                for split, rows in splits.items()
            }

        return dict(
            embedding=lambda: stack.params["W_E"].detach(),
            predictions=predictions,
            network=self._on_examples,
            symbols=lambda: Symbols(self.config.toy, stack.params["W_E"].detach(), self.train),
            loss=self.loss,
        )

    def _on_examples(self) -> Network:
        """What the decoder writes for the first pairs of each split, by the parameters."""
        n = self.config.measures.homogeneity.n_examples
        rows = torch.cat([self.train[:, :n], self.test[:, :n]], dim=1)
        a, b = self.a[rows], self.b[rows]
        model = self.model
        return lambda params: model.decode(params, model.read(params["W_E"], a, b)).flatten(1)

    def alone(self, run: int) -> "ToyProblem":
        """The problem of one of the runs."""
        return ToyProblem((self.configs[run],), (self.data[run],), self.device)


def _data(config: RunConfig) -> ToyData:
    return toy_data(config.toy, config.optim.loss, config.data.split_seed)
