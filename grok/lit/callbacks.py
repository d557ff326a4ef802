"""Lightning callbacks. They decide *when*; :mod:`grok.measures` says *what*.

They work on a :class:`~grok.lit.module.StackTask` as it is, and on any other LightningModule
once told where in it the embedding, the scores or the pre-logits are. Readings go to the
trainer's loggers with the step at which they were taken. Reading changes nothing in the run.
"""

from functools import partial
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from grok.config import Schedule
from grok.lit.module import StackTask
from grok.lit.reading import Find, MeasureCallback, step_of
from grok.measures import (
    Snapshot,
    ablations,
    attention_saturation,
    compressibility,
    degrees_of_homogeneity,
    fourier_components,
    head_kinds,
    hindsight,
    irrep_measures,
    kernel_drift,
    loss_curvature,
    network_saturation,
    norm_dynamics,
    norm_growth,
    progress_measures,
    representation_quality,
    scale_shortcut,
    task,
    weight_spectra,
)


class TaskReadings(MeasureCallback):
    """Loss and accuracy on the training and test pairs.

    Args:
        schedule: When it is read.
        predictions: For a module of your own: logits ``[batch, class]`` and labels by split.
        mirrored: For a module of your own: whether the mirror (b, a) of each pair (a, b) of the
            split called ``test`` is trained on.
    """

    def __init__(
        self,
        schedule: Schedule | None = None,
        predictions: Find | None = None,
        mirrored: Find | None = None,
    ) -> None:
        super().__init__(task, schedule, predictions=predictions, mirrored=mirrored)


class NormGrowth(MeasureCallback):
    """Norms of the parameters, in total and per tensor, of their gradient and last update.

    Works on any LightningModule that makes one update per batch; the gradient is read for a
    :class:`StackTask` only, since another module's training loss is its own affair.
    """

    needs_update = True

    def __init__(self, schedule: Schedule | None = None) -> None:
        super().__init__(norm_growth, schedule)
        self._before: tuple[int, dict[str, Tensor]] | None = None

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, *_: Any, **__: Any
    ) -> None:
        """Keep the parameters if the coming update is to be measured."""
        step = step_of(trainer, pl_module)
        if isinstance(pl_module, StackTask) or not self.schedule.is_due(step + 1):
            return
        self._before = (step, {n: p.detach().clone() for n, p in pl_module.named_parameters()})

    def snapshot(self, pl_module: LightningModule, step: int) -> Snapshot:
        """Adds the last update."""
        self.parts.pop("delta", None)
        if self._before is not None and self._before[0] == step - 1:
            before = self._before[1]
            self.parts["delta"] = lambda module: {
                name: p.detach() - before[name] for name, p in module.named_parameters()
            }
        return super().snapshot(pl_module, step)


class AttentionSaturation(MeasureCallback):
    """Entropy of the attention patterns and their distance to the saturated pattern.

    Args:
        schedule: When it is read.
        scores: For a module of your own: attention scores before the softmax on a fixed probe,
            one ``[batch, head, query, key]`` per layer, masked entries -inf.
    """

    def __init__(self, schedule: Schedule | None = None, scores: Find | None = None) -> None:
        super().__init__(attention_saturation, schedule, scores=scores)


class FourierComponents(MeasureCallback):
    """Power of the embedding per frequency of Z_p.

    Args:
        schedule: When it is read.
        embedding: For a module of your own: rows for 0, ..., p - 1, ``[p, d_model]``.
    """

    def __init__(self, schedule: Schedule | None = None, embedding: Find | None = None) -> None:
        super().__init__(fourier_components, schedule, embedding=embedding)


class Compressibility(MeasureCallback):
    """Ranks and tail exponent of what the unembedding reads, and rank of attention's output.

    Args:
        schedule: When it is read.
        pre_logits: For a module of your own: features ``[batch, d_model]`` by split.
        attn_out: For a module of your own: by split, one ``[batch, d_model]`` per layer.
    """

    def __init__(
        self,
        schedule: Schedule | None = None,
        pre_logits: Find | None = None,
        attn_out: Find | None = None,
    ) -> None:
        super().__init__(compressibility, schedule, pre_logits=pre_logits, attn_out=attn_out)


class ScaleShortcut(MeasureCallback):
    """Loss and accuracy with the scale of the MLP's input taken away.

    Args:
        schedule: When it is read.
        shortcut: For a module of your own: by mode and split, logits ``[batch, class]`` and
            labels.
    """

    def __init__(self, schedule: Schedule | None = None, shortcut: Find | None = None) -> None:
        super().__init__(scale_shortcut, schedule, shortcut=shortcut)


class WeightSpectra(MeasureCallback):
    """Ranks and tail exponent of the weight matrices, on any LightningModule."""

    def __init__(self, schedule: Schedule | None = None) -> None:
        super().__init__(weight_spectra, schedule)


class KernelDrift(MeasureCallback):
    """Drift of the tangent kernels of a :class:`StackTask` and their alignment with the labels.

    Which pairs and how many directions is in the ``measures.kernel`` of the run's config.
    """

    def __init__(self, schedule: Schedule | None = None) -> None:
        super().__init__(kernel_drift, schedule)


class LossCurvature(MeasureCallback):
    """Top eigenvalues of the Hessian of a :class:`StackTask`'s training loss.

    How many is in the ``measures.hessian`` of the run's config.
    """

    def __init__(self, schedule: Schedule | None = None) -> None:
        super().__init__(loss_curvature, schedule)


class ProgressMeasures(MeasureCallback):
    """Progress measures of a :class:`StackTask` that adds or subtracts mod p.

    Where key frequencies come from is in the ``measures.progress`` of the run's config.
    """

    def __init__(self, schedule: Schedule | None = None) -> None:
        super().__init__(progress_measures, schedule)


class ProgressInHindsight(MeasureCallback):
    """Progress measures of a run under the key frequencies of its end, read from its checkpoints.

    Args:
        schedule: When it is read.
        is_key: Key frequencies, ``[run, freq]``; by default those of each step.
    """

    is_afterwards = True

    def __init__(self, schedule: Schedule | None = None, is_key: Tensor | None = None) -> None:
        super().__init__(partial(hindsight, is_key=is_key), schedule)


class Ablations(MeasureCallback):
    """Losses of a one-layer :class:`StackTask` that adds or subtracts mod p, parts replaced.

    Key frequencies are those of the ``measures.progress`` of the run's config.
    """

    def __init__(self, schedule: Schedule | None = None) -> None:
        super().__init__(ablations, schedule)


class IrrepMeasures(MeasureCallback):
    """What the irreducible representations do in a :class:`StackTask` that composes a group.

    Key representations may be given in the ``measures.irrep`` of the run's config.
    """

    def __init__(self, schedule: Schedule | None = None) -> None:
        super().__init__(irrep_measures, schedule)


class RepresentationQuality(MeasureCallback):
    """Principal components of the embedding, and parallelograms of toy networks.

    Args:
        schedule: When it is read.
        embedding: For a module of your own: rows for the symbols, ``[p, d_model]``.
    """

    def __init__(self, schedule: Schedule | None = None, embedding: Find | None = None) -> None:
        super().__init__(representation_quality, schedule, embedding=embedding)


class NormDynamics(MeasureCallback):
    """What every update adds to the norm, on a :class:`StackTask` whose config enables it.

    The stack adds up; nothing is read of a run whose first updates were not added, which is
    replayed when it has ended. Which sets of parameters is in the ``measures.dynamics`` of the
    run's config.
    """

    needs_update = True

    def __init__(self, schedule: Schedule | None = None) -> None:
        super().__init__(norm_dynamics, schedule)


class Saturation(MeasureCallback):
    """Cosines to the saturated network, and whether that one still solves the task.

    The settings are in the ``measures.saturation`` of the run's config.

    Args:
        schedule: When it is read.
        saturated: For a module of your own: a :class:`~grok.measures.Saturated`, its tensors
            without the ``run`` axis. :func:`grok.metrics.homogeneity.scaled` gives the parameters
            to call the module with, by ``torch.func.functional_call``.
    """

    def __init__(self, schedule: Schedule | None = None, saturated: Find | None = None) -> None:
        super().__init__(network_saturation, schedule, saturated=saturated)


class Homogeneity(MeasureCallback):
    """How outputs grow with the scale of all parameters.

    The settings are in the ``measures.homogeneity`` of the run's config.

    Args:
        schedule: When it is read.
        network: For a module of your own: a function of its named parameters that gives an output
            on fixed examples, or several by name, ``logits`` first.
    """

    def __init__(self, schedule: Schedule | None = None, network: Find | None = None) -> None:
        super().__init__(degrees_of_homogeneity, schedule, network=network)


class AttentionStats(MeasureCallback):
    """How many positions saturated heads attend to, and of which kind they are.

    The settings are in the ``measures.heads`` of the run's config.

    Args:
        schedule: When it is read.
        scores: For a module of your own: as for :class:`AttentionSaturation`. Rows of padding are
            -inf as a whole, and so are its keys.
    """

    def __init__(self, schedule: Schedule | None = None, scores: Find | None = None) -> None:
        super().__init__(head_kinds, schedule, scores=scores)
