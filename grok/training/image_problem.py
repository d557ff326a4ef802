"""The image problem: pixels to a class, by a perceptron.

Shapes: ``run`` - runs trained together; ``train`` - training images; ``batch`` - images of one
update or of one split; ``pixel``; ``out`` - outputs, one per class.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grok.config import RunConfig
from grok.data.image_config import N_CLASSES
from grok.data.images import ImageData, ImageSplit, image_data
from grok.data.mnist import mnist_folder
from grok.data.pairs import batch_rows
from grok.metrics.homogeneity import Network
from grok.metrics.loss import cross_entropy, mse
from grok.models.mlp import Mlp
from grok.training.compat import check_stackable
from grok.training.problem import DTYPES

if TYPE_CHECKING:
    from grok.training.stack import Stack

CHUNK = 1000
"""Images of each run that are evaluated at once: 10,000 of a stack would need gigabytes. The same
for every stack, so that a run's readings do not depend on it."""

Batch = tuple[Float[Tensor, "run batch pixel"], Int[Tensor, "run batch"]]
"""Images and their classes."""


class ImageProblem:
    """Images from a fixed training set; another fixed set validates, under the name ``test``.

    Args:
        configs: One per run. They may differ in seeds, rates, decays, betas and initial scale.
        data: Split of each run; None to read them. Runs may share one.
        device: Where everything lives.

    Raises:
        InputError: If the images are missing or are others than expected.
    """

    def __init__(
        self,
        configs: Sequence[RunConfig],
        data: Sequence[ImageSplit] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        check_stackable(configs)
        self.configs, self.config = tuple(configs), configs[0]
        self.device = torch.device(device)
        self.data = _on(data or _splits(configs), self.device)
        images = self.config.images
        sizes = (self.data[0].train.x.shape[1], *[images.width] * images.depth, N_CLASSES)
        self.model = Mlp(sizes, images.act)
        self._loss = mse if self.config.optim.loss == "mse" else cross_entropy

    @property
    def is_fixed(self) -> bool:
        """Whether every update sees all training images."""
        images = self.config.images
        return images.n_batch == images.n_train

    def initial(self, config: RunConfig) -> Mapping[str, Tensor]:
        """Parameters of one run at step 0, from ``model.init_seed``."""
        generator = torch.Generator().manual_seed(config.model.init_seed)
        return self.model.initial(generator, config.images.init_scale)

    def start(self, params: Mapping[str, Tensor]) -> None:
        """Nothing: no reading or loss needs the network at step 0."""

    @cached_property
    def train(self) -> Batch:
        """All training images of each run."""
        return self._stacked([split.train for split in self.data])

    def _stacked(self, parts: Sequence[ImageData]) -> Batch:
        x = torch.stack([part.x for part in parts]).to(DTYPES[self.config.dtype])
        return x, torch.stack([part.label for part in parts])

    def _batch(self, step: int) -> Batch:
        """Images that update ``step`` (from 0) of each run sees."""
        images = self.config.images
        if images.n_batch == images.n_train:
            return self.train
        every = torch.arange(images.n_train)
        parts = []
        for split, config in zip(self.data, self.configs, strict=True):
            rows = batch_rows(every, images.n_batch, config.data.order_seed, step)
            rows = rows.to(self.device)
            parts.append(ImageData(split.train.x[rows], split.train.label[rows]))
        return self._stacked(parts)

    def losses(self, params: Mapping[str, Tensor], step: int) -> Float[Tensor, " run"]:
        """Mean loss of each run on the mini-batch of an update."""
        return self._mean_loss(params, self._batch(step))

    def whole_losses(self, params: Mapping[str, Tensor], step: int) -> Float[Tensor, " run"]:
        """Mean loss of each run on all training images, at whatever step."""
        del step
        return self._mean_loss(params, self.train)

    def _mean_loss(self, params: Mapping[str, Tensor], batch: Batch) -> Float[Tensor, " run"]:
        x, label = batch
        return self._loss(self.model(params, x), label, DTYPES[self.config.optim.loss_dtype])

    def outputs(
        self, params: Mapping[str, Tensor], parts: Sequence[ImageData]
    ) -> tuple[Float[Tensor, "run batch out"], Int[Tensor, "run batch"]]:
        """Outputs of each run on images of its own, and their classes, some at a time."""
        found = []
        for start in range(0, len(parts[0].label), CHUNK):
            rows = slice(start, start + CHUNK)
            x, _ = self._stacked([ImageData(part.x[rows], part.label[rows]) for part in parts])
            found.append(self.model(params, x))
        return torch.cat(found, dim=1), torch.stack([part.label for part in parts])

    def parts(self, stack: "Stack") -> dict[str, Any]:
        """What measures can ask of a perceptron: arguments of a snapshot."""

        def predictions() -> dict[str, tuple[Tensor, Tensor]]:
            splits = {"train": [split.train for split in self.data]}
            splits["test"] = [split.validation for split in self.data]
            return {name: self.outputs(stack.params, parts) for name, parts in splits.items()}

        return dict(predictions=predictions, loss=self._loss, network=self._on_examples)

    def _on_examples(self) -> Network:
        """Outputs on the first images of each split as a function of the parameters."""
        rows = slice(self.config.measures.homogeneity.n_examples)
        each = [torch.cat([s.train.x[rows], s.validation.x[rows]]) for s in self.data]
        x = torch.stack(each).double()
        return lambda params: self.model(params, x).flatten(1)

    def alone(self, run: int) -> "ImageProblem":
        """The problem of one of the runs."""
        return ImageProblem((self.configs[run],), (self.data[run],), self.device)


def _splits(configs: Sequence[RunConfig]) -> list[ImageSplit]:
    """Split of each run. Files are read once per subset, and one validation set is kept."""
    images = configs[0].images
    source = "digits" if images.source == "digits" else mnist_folder(images.directory)
    found: dict[int, ImageSplit] = {}
    seeds = [c.data.split_seed if images.order == "random" else 0 for c in configs]
    for seed in seeds:
        if seed not in found:
            split = image_data(source, images.n_train, images.order, seed, images.digest)
            if source != "digits" and found:
                split = split._replace(validation=next(iter(found.values())).validation)
            found[seed] = split
    return [found[seed] for seed in seeds]


def _on(splits: Sequence[ImageSplit], device: torch.device) -> tuple[ImageSplit, ...]:
    """The splits on a device; what several share is there once."""
    each = {id(part): part for split in splits for part in split}
    placed = {i: ImageData(part.x.to(device), part.label.to(device)) for i, part in each.items()}
    return tuple(ImageSplit(*(placed[id(part)] for part in split)) for split in splits)
