"""Snapshots, and the named measures that read them.

A *snapshot* is a model at one step: its parameters and, computed at most once and only when
asked for, what it does on the probe. A *measure* is a function from a snapshot to named
scalars, one value per run. Nothing here knows which model it is, so the same measures read a
stack of ours, somebody's module, or a stored checkpoint.

Shapes: ``run`` - runs trained together; ``batch`` - probe pairs of a split; ``p`` - group
elements; ``query``, ``key`` - positions.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from grok.metrics.attention import (
    attention_entropy,
    published_entropy,
    saturated_pattern,
    total_variation,
)
from grok.metrics.fourier import (
    fourier_concentration,
    fourier_f_statistic,
    fourier_power,
    top_share,
)
from grok.metrics.loss import accuracy
from grok.metrics.norms import l2_norm
from grok.metrics.spectra import (
    effective_rank,
    numerical_rank,
    power_law_fit,
    published_stable_rank,
    rank_slope,
    singular_values,
    stable_rank,
)

Readings = dict[str, Tensor]
Measure = Callable[["Snapshot"], Readings]
ByName = Mapping[str, Tensor]


class MissingPart(ValueError):
    """A measure asked a snapshot for something that it does not have."""


class Snapshot:
    """A model at one step.

    Every argument after ``params`` is a function without arguments, called at most once, when
    a measure needs what it gives; leave out what there is not.

    Args:
        step: Updates done.
        params: Every parameter by name, each with a leading ``run`` axis.
        gradient: Gradient of the whole training loss at these parameters, by name.
        delta: What the last update changed, by name.
        embedding: Rows of W_E for the group elements 0, ..., p - 1, ``[run, p, d_model]``.
        scores: For each layer the attention scores on the probe, masked entries -inf,
            ``[run, batch, head, query, key]``; the last query row is the one read out.
        pre_logits: By split, what the unembedding reads, ``[run, batch, d_model]``.
        predictions: By split, logits ``[run, batch, class]`` and labels ``[run, batch]``.
        loss: Loss of logits and labels, ``[run]``.
        active: Runs whose parameters are of this step; None for all.
    """

    def __init__(
        self,
        step: int,
        params: ByName,
        *,
        gradient: Callable[[], ByName] | None = None,
        delta: Callable[[], ByName] | None = None,
        embedding: Callable[[], Float[Tensor, "run p d_model"]] | None = None,
        scores: Callable[[], list[Float[Tensor, "run batch head query key"]]] | None = None,
        pre_logits: Callable[[], Mapping[str, Float[Tensor, "run batch d_model"]]] | None = None,
        predictions: Callable[[], Mapping[str, tuple[Tensor, Tensor]]] | None = None,
        loss: Callable[[Tensor, Tensor], Tensor] | None = None,
        active: Bool[Tensor, " run"] | None = None,
    ) -> None:
        self.step = step
        self.params = params
        self.loss = loss
        self.active = active
        self._sources = {
            "gradient": gradient,
            "delta": delta,
            "embedding": embedding,
            "scores": scores,
            "pre_logits": pre_logits,
            "predictions": predictions,
        }

    def has(self, name: str) -> bool:
        """Whether the snapshot can give this."""
        return self._sources[name] is not None

    def _get(self, name: str):
        source = self._sources[name]
        if source is None:
            raise MissingPart(f"this measure needs the model's {name}, which the snapshot lacks")
        with torch.no_grad():
            return source()

    @cached_property
    def gradient(self) -> ByName:
        """Gradient of the whole training loss, by name."""
        return self._get("gradient")

    @cached_property
    def delta(self) -> ByName:
        """What the last update changed, by name."""
        return self._get("delta")

    @cached_property
    def embedding(self) -> Float[Tensor, "run p d_model"]:
        """Embedding of the group elements."""
        return self._get("embedding")

    @cached_property
    def scores(self) -> list[Float[Tensor, "run batch head query key"]]:
        """Attention scores by layer."""
        return self._get("scores")

    @cached_property
    def pre_logits(self) -> Mapping[str, Float[Tensor, "run batch d_model"]]:
        """Pre-logits by split."""
        return self._get("pre_logits")

    @cached_property
    def predictions(self) -> Mapping[str, tuple[Tensor, Int[Tensor, "run batch"]]]:
        """Logits and labels by split."""
        return self._get("predictions")


def task(snapshot: Snapshot) -> Readings:
    """Loss and accuracy of each split, with the parameters after ``step`` updates."""
    readings = {}
    for split, (logits, labels) in snapshot.predictions.items():
        if snapshot.loss is not None:
            readings[f"loss/{split}"] = snapshot.loss(logits, labels)
        readings[f"acc/{split}"] = accuracy(logits, labels)
    return readings


def norm_growth(snapshot: Snapshot) -> Readings:
    """Norms of parameters and, where the snapshot has them, of gradient and last update.

    The gradient at step t is that of the whole training loss at the parameters after t updates
    (published codes log the one that made update t, which belongs to step t - 1).
    """
    readings = dict(_norms("theta", snapshot.params))
    readings["norm/squared"] = readings["norm/theta/all"].square()
    for name in ("gradient", "delta"):
        if snapshot.has(name):
            readings |= _norms(name.replace("gradient", "grad"), getattr(snapshot, name))
    return readings


def _norms(what: str, tensors: ByName) -> Iterator[tuple[str, Tensor]]:
    each = {name: l2_norm(x.reshape(x.shape[0], -1)) for name, x in tensors.items()}
    yield f"norm/{what}/all", l2_norm(torch.stack(list(each.values()), dim=-1))
    for name, value in each.items():
        yield f"norm/{what}/{name}", value


def attention_saturation(snapshot: Snapshot) -> Readings:
    """Entropy of the attention pattern, and its distance to the saturated pattern, per layer."""
    readings: Readings = {}
    for layer, scores in enumerate(snapshot.scores):
        pattern = scores.softmax(dim=-1)
        by_head = {
            "attn/entropy": attention_entropy(pattern),
            "sat/attn_tv": total_variation(pattern, saturated_pattern(scores)),
        }
        for name, value in by_head.items():
            readings |= _by_head(f"{name}/{layer}", value.mean(dim=(1, 3)))
            readings |= _by_head(f"{name}_last/{layer}", value[..., -1].mean(dim=1))
        # The plain name is the published quantity, which is not the mean over heads.
        readings[f"attn/entropy/{layer}"] = published_entropy(pattern)
    return readings


def _by_head(name: str, value: Float[Tensor, "run head"]) -> Readings:
    heads = {f"{name}/{head}": value[:, head] for head in range(value.shape[1])}
    return {name: value.mean(dim=-1)} | heads


TOP_K = (1, 5, 10)
"""Numbers of frequencies whose share of the power is read."""


def fourier_components(snapshot: Snapshot) -> Readings:
    """Power of the embedding per frequency, and how concentrated it is."""
    embedding = snapshot.embedding
    power = fourier_power(embedding)
    readings = {"fourier/c": fourier_concentration(embedding)}
    if embedding.shape[1] >= 5 and embedding.shape[2] >= 2:  # fewer have no degrees of freedom
        readings["fourier/f_statistic"] = fourier_f_statistic(embedding)
    readings |= {
        f"fourier/top_share/{k}": top_share(power, k) for k in TOP_K if k < power.shape[-1]
    }
    return readings | {f"fourier/power/{k}": power[:, k] for k in range(power.shape[-1])}


FLOAT32_EPS = torch.finfo(torch.float32).eps
"""The published rank was computed in float32; d_model of these is its tolerance."""


def compressibility(snapshot: Snapshot) -> Readings:
    """Ranks and tail exponent of the pre-logits of each split.

    Singh et al. 2026 say training pairs and plot the test pairs; both are read.
    """
    readings = {}
    for split, H in snapshot.pre_logits.items():
        # Not from the Gram matrix: squaring would drown the small values, which make the tail.
        spectrum = singular_values(H)
        eigenvalues = spectrum.square()
        fit = power_law_fit(eigenvalues)
        values = {
            "effective_rank": effective_rank(eigenvalues),
            "stable_rank": stable_rank(eigenvalues),
            "published_stable_rank": published_stable_rank(eigenvalues),
            "rank": numerical_rank(spectrum, rtol=(H.shape[-1] * FLOAT32_EPS) ** 0.5),
            "alpha": fit.alpha,
            "alpha_x_min": fit.x_min,
            "alpha_n_tail": fit.n_tail,
            "alpha_ks": fit.ks,
            "rank_slope": rank_slope(eigenvalues),
        }
        readings |= {f"compress/{name}/{split}": value for name, value in values.items()}
    return readings


MEASURES: dict[str, Measure] = {
    "task": task,
    "norm": norm_growth,
    "attention": attention_saturation,
    "fourier": fourier_components,
    "compress": compressibility,
}
"""Measure of each family, under the family's name in the config."""
