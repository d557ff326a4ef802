"""The problem of language: the next token of a text, by a causal transformer.

Shapes: ``run`` - runs trained together; ``row`` - rows of a part of the text; ``batch`` - rows of
one update; ``pos`` - tokens that are read of a row; ``token`` - positions that count, row by row;
``cls`` - tokens that can be predicted.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from grok.config import RunConfig
from grok.data.pairs import batch_rows
from grok.data.text import PADDED, Rows, TextData, text_data, unigram_cross_entropy
from grok.metrics.loss import cross_entropy
from grok.models.init import initial_parameters
from grok.models.shapes import Tokens
from grok.models.transformer import Activations, Dropout, Transformer
from grok.training.compat import check_stackable
from grok.training.dropout import update_dropout
from grok.training.language_probe import CHUNK, chunks, language_parts
from grok.training.problem import DTYPES
from grok.training.readout import per_run

if TYPE_CHECKING:
    from grok.training.stack import Stack


class LanguageProblem:
    """A text whose rows are read in an order of each run's own.

    The loss is a mean over all positions of an update that count, in float64.

    Args:
        configs: One per run. They may differ in what those of pairs may differ in.
        data: The text, which all runs share; None to read it.
        device: Where everything lives.

    Raises:
        InputError: If the text is missing or is another than expected.

    Reference:
        Merrill et al. 2021, section 3.3. Departures: the mean is over positions and not over means
        of sentences; rows end with ``<eos>``; the mask lets no position see a later one, and what
        is padded counts nowhere.
    """

    def __init__(
        self,
        configs: Sequence[RunConfig],
        data: TextData | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        check_stackable(configs)
        self.configs = tuple(configs)
        self.config = configs[0]
        self.device = torch.device(device)
        self.data = data or text_data(self.config.text)
        self.model = self._network(self.config)
        self.train = Rows(*(x.to(self.device) for x in self.data.train))
        self.read = {split: self._read(getattr(self.data, split)) for split in ("train", "test")}
        models, dtype = [c.model for c in configs], DTYPES[self.config.dtype]
        self.readout_scale = per_run([m.readout_scale for m in models], dtype, self.device)
        self.temperature = per_run([m.temperature for m in models], dtype, self.device)
        self.is_scaled = any((m.readout_scale, m.temperature) != (1, 1) for m in models)

    def _network(self, config: RunConfig) -> Transformer:
        data = self.data
        return Transformer(config.model, Tokens(data.n_tokens, config.text.length, data.n_classes))

    def _read(self, rows: Rows) -> Rows:
        """Rows of a part on which everything is read: at equal distances, from the first one on."""
        n = len(rows.inputs)
        n_read = min(self.config.text.n_read, n)
        which = torch.arange(n_read) * n // n_read
        return Rows(*(x[which].to(self.device) for x in rows))

    @property
    def is_fixed(self) -> bool:
        """No: every update has a batch of its own."""
        return False

    def initial(self, config: RunConfig) -> Mapping[str, Tensor]:
        """Parameters of one run at step 0, from ``model.init_seed``."""
        return initial_parameters(self._network(config), config.model.init_seed)

    def start(self, params: Mapping[str, Tensor]) -> None:
        """Nothing: no reading or loss of a text needs the network at step 0."""

    def batch(self, step: int) -> list[Rows]:
        """Rows that update ``step`` (from 0) of each run sees."""
        everything, n = torch.arange(len(self.train.inputs)), self.config.text.batch_size
        picked = [batch_rows(everything, n, c.data.order_seed, step) for c in self.configs]
        return [Rows(*(x[rows.to(self.device)] for x in self.train)) for rows in picked]

    def losses(self, params: Mapping[str, Tensor], step: int) -> Float[Tensor, " run"]:
        """Mean loss of each run on the rows of an update, with its dropout."""
        return self._mean_loss(params, self.batch(step), update_dropout(self.configs, step))

    def whole_losses(self, params: Mapping[str, Tensor], step: int) -> Float[Tensor, " run"]:
        """Mean loss of each run on the training rows that are read, at whatever step."""
        del step
        found, n_counted = [], []
        for rows in chunks(self.read["train"]):
            found.append(self._mean_loss(params, [rows] * len(self.configs), None))
            n_counted.append(int((rows.labels != PADDED).sum()))
        return _mean(found, n_counted)

    def _mean_loss(
        self, params: Mapping[str, Tensor], rows: Sequence[Rows], drop: Dropout | None
    ) -> Float[Tensor, " run"]:
        """Mean loss of each run on rows of its own, with dropout or without."""
        logits = self.forward(params, torch.stack([each.inputs for each in rows]), drop).logits
        # The gradient of a slice is as large as all of them: a run alone is not cut out.
        of_runs = logits.split(1) if len(rows) > 1 else (logits,)
        found = []
        for run, each in enumerate(rows):
            # Rows of different runs may have different numbers of positions that count.
            h, labels = counted(of_runs[run], each.labels)
            if self.is_scaled:
                h = self.readout_scale[run] * h / self.temperature[run]
            found.append(cross_entropy(h, labels, DTYPES[self.config.optim.loss_dtype]))
        return torch.cat(found)

    def forward(
        self,
        params: Mapping[str, Tensor],
        inputs: Int[Tensor, "run row pos"],
        drop: Dropout | None = None,
    ) -> Activations:
        """Everything that the network computes on rows: streams, heads, neurons, scores."""
        return self.model.forward(params, inputs, drop=drop)

    def readout(self, logits: Tensor) -> Tensor:
        """What loss and accuracy see, before the temperature."""
        return self.readout_scale * logits if self.is_scaled else logits

    def loss(self, h: Tensor, labels: Tensor, dtype: torch.dtype) -> Float[Tensor, " run"]:
        """Mean loss of each run, without penalties, at its temperature."""
        if self.is_scaled:
            h = h / self.temperature
        parts = list(zip(h.split(CHUNK, 1), labels.split(CHUNK, 1), strict=True))
        found = [cross_entropy(*part, dtype) for part in parts]
        return _mean(found, [part.shape[1] for _, part in parts])

    @cached_property
    def unigram(self) -> dict[str, Float64[Tensor, ""]]:
        """Loss on the rows that are read of a prediction by frequency alone, by split."""
        train = self.train.labels[self.train.labels != PADDED]
        return {
            split: unigram_cross_entropy(
                train, rows.labels[rows.labels != PADDED], self.data.n_classes
            )
            for split, rows in self.read.items()
        }

    def parts(self, stack: "Stack[LanguageProblem]") -> dict[str, Any]:
        """What measures can ask of a language model."""
        return language_parts(stack)

    def alone(self, run: int) -> "LanguageProblem":
        """The problem of one of the runs."""
        return LanguageProblem((self.configs[run],), self.data, self.device)


def _mean(means: Sequence[Tensor], numbers: Sequence[int]) -> Float[Tensor, " run"]:
    """Mean over several sets from the mean of each and how many it has, which may be none."""
    sums = [mean * n for mean, n in zip(means, numbers, strict=True) if n]
    return torch.stack(sums).sum(dim=0) / sum(numbers)


def counted(
    x: Float[Tensor, "run row pos d"], labels: Int[Tensor, "row pos"]
) -> tuple[Float[Tensor, "run token d"], Int[Tensor, "#run token"]]:
    """What stands at the positions that count, and their labels."""
    counts = labels != PADDED
    if bool(counts.all()):  # a view, where picking would copy
        return x.flatten(1, 2), labels.flatten().unsqueeze(0)
    return x[:, counts], labels[counts].unsqueeze(0)
