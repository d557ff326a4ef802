"""The problem of sequences: tokens predicted from those before them, by a causal transformer.

Shapes as in :mod:`grok.training.sequence_batch`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from grok.config import RunConfig
from grok.data.pairs import batch_rows
from grok.data.sequences import (
    SequenceData,
    Sequences,
    fresh_sequences,
    longer_sequences,
    sequence_data,
)
from grok.models.init import initial_parameters
from grok.models.shapes import Tokens
from grok.models.transformer import Transformer
from grok.training.compat import check_stackable
from grok.training.dropout import update_dropout
from grok.training.problem import DTYPES
from grok.training.readout import mean_loss, per_run
from grok.training.sequence_batch import Batch, predicting
from grok.training.sequence_probe import sequence_parts

if TYPE_CHECKING:
    from grok.training.stack import Stack


class SequenceProblem:
    """Sequences, from a fixed training set or fresh at every update.

    Args:
        configs: One per run. They may differ in what those of pairs may differ in.
        data: What each run's seeds give; None to draw it.
        device: Where everything lives.
    """

    def __init__(
        self,
        configs: Sequence[RunConfig],
        data: Sequence[SequenceData] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        check_stackable(configs)
        self.configs = tuple(configs)
        self.config = config = configs[0]
        self.device = torch.device(device)
        self.sizes = config.sequence.sizes(config.problem)
        self.model = self._network(config)
        self.data = tuple(data or [_data(c) for c in configs])
        self.test = self._placed([d.test for d in self.data])
        fixed = [d.train for d in self.data if d.train is not None]
        self.train = self._placed(fixed) if fixed else None
        self.longer = self._longer()
        models, dtype = [c.model for c in configs], DTYPES[config.dtype]
        self.readout_scale = per_run([m.readout_scale for m in models], dtype, self.device)
        self.temperature = per_run([m.temperature for m in models], dtype, self.device)

    def _network(self, config: RunConfig) -> Transformer:
        sizes = self.sizes
        return Transformer(config.model, Tokens(sizes.vocab, sizes.length, sizes.n_classes))

    def _placed(self, each: Sequence[Sequences]) -> Batch:
        """Sequences of every run on the device."""
        tokens = torch.stack([sequences.tokens for sequences in each])
        scored = torch.stack([sequences.scored for sequences in each])
        first_row = self.sizes.length - 1 - self.sizes.n_read
        batch = Batch(tokens[..., :-1], scored - 1 - first_row, tokens.gather(2, scored))
        return Batch(*(x.to(self.device) for x in batch))

    def _longer(self) -> dict[str, Batch]:
        """Test sets of longer strings, by the name under which they are read."""
        if self.config.problem != "majority":
            return {}
        drawn = [longer_sequences(c.sequence, c.data.split_seed) for c in self.configs]
        return {f"tosses/{n}": self._placed([each[n] for each in drawn]) for n in drawn[0]}

    @property
    def is_fixed(self) -> bool:
        """No: every update has a batch of its own."""
        return False

    def initial(self, config: RunConfig) -> Mapping[str, Tensor]:
        """Parameters of one run at step 0, from ``model.init_seed``."""
        return initial_parameters(self._network(config), config.model.init_seed)

    def start(self, params: Mapping[str, Tensor]) -> None:
        """Nothing: no reading or loss of a sequence needs the network at step 0."""

    def batch(self, step: int) -> Batch:
        """What update ``step`` sees."""
        config = self.config.sequence
        if self.train is None:
            problem = self.config.problem
            seeds = [c.data.order_seed for c in self.configs]
            return self._placed([fresh_sequences(problem, config, seed, step) for seed in seeds])
        if not config.batch_size:
            return self.train
        everything = torch.arange(config.n_train)
        rows = [
            batch_rows(everything, config.batch_size, c.data.order_seed, step) for c in self.configs
        ]
        picked = torch.stack(rows).to(self.device).unsqueeze(-1)
        return Batch(*(x.take_along_dim(picked, dim=1) for x in self.train))

    def whole(self, step: int) -> Batch:
        """The training set; where sequences are fresh, those of update ``step``."""
        return self.batch(step) if self.train is None else self.train

    def losses(self, params: Mapping[str, Tensor], step: int) -> Float[Tensor, " run"]:
        """Mean loss of each run on the scored tokens of an update, with its dropout."""
        return self._mean_loss(params, self.batch(step), step)

    def whole_losses(self, params: Mapping[str, Tensor], step: int) -> Float[Tensor, " run"]:
        """Mean loss of each run on its training set, or on the sequences of the coming update."""
        return self._mean_loss(params, self.whole(step), None)

    def _mean_loss(
        self, params: Mapping[str, Tensor], batch: Batch, step: int | None
    ) -> Float[Tensor, " run"]:
        """Mean loss on a batch, with the dropout of an update; None for without."""
        drop = None if step is None else update_dropout(self.configs, step)
        full = self.model.forward(params, batch.inputs, read=self.sizes.n_read, drop=drop)
        h = self.readout_scale * predicting(full.logits, batch.rows)
        labels = rearrange(batch.labels, "run batch scored -> run (batch scored)")
        return self.loss(h, labels, DTYPES[self.config.optim.loss_dtype])

    def loss(self, h: Tensor, labels: Tensor, dtype: torch.dtype) -> Float[Tensor, " run"]:
        """Mean loss of each run, without penalties, at its temperature."""
        return mean_loss(self.config, h, labels, self.temperature, dtype)

    def parts(self, stack: "Stack[SequenceProblem]") -> dict[str, Any]:
        """What measures can ask of a network on sequences."""
        return sequence_parts(stack)

    def alone(self, run: int) -> "SequenceProblem":
        """The problem of one of the runs."""
        return SequenceProblem((self.configs[run],), (self.data[run],), self.device)


def _data(config: RunConfig) -> SequenceData:
    return sequence_data(config.problem, config.sequence, config.data.split_seed)
