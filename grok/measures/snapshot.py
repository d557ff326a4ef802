"""Snapshots, and the named measures that read them.

A *snapshot* is a model at one step: its parameters and, computed at most once and only when
asked for, what it does on the probe. A *measure* is a function from a snapshot to named
scalars, one value per run. Nothing here knows which model it is, so the same measures read a
stack of ours, somebody's module, or a stored checkpoint.

Shapes: ``run`` - runs trained together; ``batch`` - probe pairs of a split; ``p`` - group
elements; ``query``, ``key`` - positions.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from grok.config.measures import MeasuresConfig
from grok.data.toy_config import ToyConfig
from grok.measures.saturated import Saturated
from grok.metrics.homogeneity import Network

Readings = dict[str, Tensor]
Measure = Callable[["Snapshot"], Readings]
ByName = Mapping[str, Tensor]
Product = Callable[[Float64[Tensor, " weight"]], Float64[Tensor, " weight"]]
"""A symmetric matrix, by its products with vectors."""


class MissingPart(ValueError):
    """A measure asked a snapshot for something that it does not have."""


class Kernels(NamedTuple):
    """Tangent kernels K = J J^T of the logits, readout scale included."""

    sum: Float64[Tensor, "run train train"]
    """Of the sum of all logits, on training pairs."""
    trace: Float64[Tensor, "run pair pair"]
    """Of the logits centred over classes, added up over classes; training pairs, then test."""


class KernelPair(NamedTuple):
    """Tangent kernels at two times, on the same pairs."""

    now: Kernels
    initial: Kernels
    labels: Mapping[str, Int[Tensor, "run pair"]]
    """Labels of the pairs by split, in the order of ``trace``."""


class Hessian(NamedTuple):
    """Hessian of each run's training loss."""

    products: Sequence[Callable[[], Product]]
    """One per run; what a call returns may hold much memory."""
    n_weights: int
    n_eigenvalues: int
    """How many eigenvalues are asked for."""


class Circuit(NamedTuple):
    """What the circuit of addition mod p is read from, on all pairs (a, b) at index a p + b."""

    logits: Float[Tensor, "run pair p"]
    """As the loss sees them, the ``=`` class cut off."""
    neurons: Float[Tensor, "run pair d_mlp"]
    """Last layer's neurons after the non-linearity, at the last position."""
    neuron_logit_map: Float[Tensor, "run p d_mlp"]
    """W_L = W_U W_out, in the units of the logits."""
    is_linear_read_out: bool
    """Whether the neurons reach the logits through W_L alone, no norm being in between."""
    to_first: Float[Tensor, "run pair head"]
    """First layer's pattern from the last position to the first."""
    is_train: Bool[Tensor, "run pair"]
    """Pairs that are trained on."""
    keys: tuple[int, ...]
    """Key frequencies that are given; none for those of the rule."""
    rule: str
    """L, E or N: where key frequencies are found."""


class Ablated(NamedTuple):
    """Logits on all pairs, as those of :class:`Circuit`, with a part of the network replaced."""

    other_neurons: Callable[[Float[Tensor, "run pair d_mlp"]], Float[Tensor, "run pair p"]]
    """Given neurons; what passes the MLP by, and its output bias, stay."""
    other_skip: Callable[[bool], Float[Tensor, "run pair p"]]
    """Nothing passes the MLP by, or (True) the mean over pairs of what does."""
    no_attention: Callable[[], Float[Tensor, "run pair p"]]
    """Attention adds nothing to the stream."""
    attention_alone: Callable[[], Float[Tensor, "run pair p"]]
    """Nothing passes attention by."""
    no_equals: Callable[[], Float[Tensor, "run pair p"]]
    """The last position attends to a and b alone."""
    linear: Callable[[], Float[Tensor, "run pair p"]]
    """A line in place of the softmax over a and b."""


class Composition(NamedTuple):
    """What the composition of a group is read from, on all pairs (a, b) at index a n + b."""

    group: str
    """Name of the group."""
    logits: Float[Tensor, "run pair n"]
    """As the loss sees them, the ``=`` class cut off."""
    matrices: Mapping[str, Float[Tensor, "run n _"]]
    """W_E, W_U and the neuron-to-logit map W_L = W_U W_out, with a row per element."""
    is_train: Bool[Tensor, "run pair"]
    """Pairs that are trained on."""
    keys: tuple[str, ...]
    """Key representations that are given; none for those of the rule."""


class Symbols(NamedTuple):
    """Embeddings of the symbols of a toy network, and what is learnt of them."""

    toy: ToyConfig
    """The symbols and their pairs."""
    W_E: Float[Tensor, "run symbol dim"]
    train: Int[Tensor, "run train"]
    """Training pairs."""


class Dynamics(NamedTuple):
    """What the updates of a run did to its parameters, sums over all of them by parameter."""

    squares: ByName
    """Sum of |delta|^2, ``[run]``."""
    cross: ByName
    """Sum of theta . delta, theta before the update, ``[run]``."""
    rate_squares: ByName
    """Sum of eta |theta|^2, theta before the update, ``[run]``."""
    rates: ByName
    """Learning rate of the last update, ``[run]``; 0 before the first."""
    decays: ByName
    """Weight decay, ``[run]``."""
    has_decay_part: bool
    """Whether an update has the part - eta lambda theta."""
    gradient: ByName | None
    """What the optimiser was given for the last update; None where that was not kept."""
    lagged: ByName | None
    """Parameters ``lag`` updates before; None except at multiples of it."""
    temperature: Float64[Tensor, " run"] | None
    """What logits are divided by in the cross-entropy; None for another loss."""
    sets: tuple[str, ...]
    """Kinds of sets of parameters that are asked for."""


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
        initial: Every parameter at step 0, by name.
        attn_out: By split and layer, what attention adds to the stream at the last position,
            ``[run, batch, d_model]``.
        shortcut: By mode (``legacy``, ``strict``, ``matched``) and split, logits and labels with
            the scale of the MLP's input taken away.
        places: By place in a sequence and split, logits and labels of the tokens there.
        mirrored: Whether the mirror (b, a) of a test pair (a, b) is trained on, ``[run, test]``.
        kernels: Tangent kernels now and at step 0.
        hessian: Products of the training loss's Hessian with vectors.
        circuit: What the circuit of addition mod p is read from.
        ablated: The network with a part of it replaced.
        composition: What the composition of a group is read from.
        symbols: Embeddings of a toy network.
        dynamics: What all updates so far did.
        saturated: The network beside its saturated ones.
        network: Outputs ``[run, n]`` on fixed examples as a function of the parameters, or several
            by name, ``logits`` first.
        measures: Settings of the measure families; None for those by default.
        unigram: By split, loss of a prediction by the frequencies of the training part alone.
        loss: Loss of logits and labels, ``[run]``.
        active: Runs whose parameters are of this step; None for all.
        is_cyclic: Whether row a of the embedding stands for the number a mod p; the elements of
            other groups are in no such order.
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
        initial: Callable[[], ByName] | None = None,
        attn_out: Callable[[], Mapping[str, list[Tensor]]] | None = None,
        shortcut: Callable[[], Mapping[str, Mapping[str, tuple[Tensor, Tensor]]]] | None = None,
        places: Callable[[], Mapping[str, Mapping[str, tuple[Tensor, Tensor]]]] | None = None,
        mirrored: Callable[[], Bool[Tensor, "run test"]] | None = None,
        kernels: Callable[[], KernelPair] | None = None,
        hessian: Callable[[], Hessian] | None = None,
        circuit: Callable[[], Circuit] | None = None,
        ablated: Callable[[], Ablated] | None = None,
        composition: Callable[[], Composition] | None = None,
        symbols: Callable[[], Symbols] | None = None,
        dynamics: Callable[[], Dynamics] | None = None,
        saturated: Callable[[], Saturated] | None = None,
        network: Callable[[], Network] | None = None,
        measures: MeasuresConfig | None = None,
        unigram: Callable[[], ByName] | None = None,
        loss: Callable[[Tensor, Tensor], Tensor] | None = None,
        active: Bool[Tensor, " run"] | None = None,
        is_cyclic: bool = True,
    ) -> None:
        self.step = step
        self.params = params
        self.measures = measures or MeasuresConfig()
        self.loss = loss
        self.active = active
        self.is_cyclic = is_cyclic
        self._sources = {
            "gradient": gradient,
            "delta": delta,
            "embedding": embedding,
            "scores": scores,
            "pre_logits": pre_logits,
            "predictions": predictions,
            "initial": initial,
            "attn_out": attn_out,
            "shortcut": shortcut,
            "places": places,
            "mirrored": mirrored,
            "kernels": kernels,
            "hessian": hessian,
            "circuit": circuit,
            "ablated": ablated,
            "composition": composition,
            "symbols": symbols,
            "dynamics": dynamics,
            "saturated": saturated,
            "network": network,
            "unigram": unigram,
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

    @cached_property
    def initial(self) -> ByName:
        """Parameters at step 0."""
        return self._get("initial")

    @cached_property
    def attn_out(self) -> Mapping[str, list[Float[Tensor, "run batch d_model"]]]:
        """Attention output by split and layer."""
        return self._get("attn_out")

    @cached_property
    def shortcut(self) -> Mapping[str, Mapping[str, tuple[Tensor, Int[Tensor, "run batch"]]]]:
        """Logits and labels without the scale of the MLP's input, by mode and split."""
        return self._get("shortcut")

    @cached_property
    def places(self) -> Mapping[str, Mapping[str, tuple[Tensor, Int[Tensor, "run batch"]]]]:
        """Logits and labels of the tokens at one place of a sequence, by place and split."""
        return self._get("places")

    @cached_property
    def mirrored(self) -> Bool[Tensor, "run test"]:
        """Whether the mirror of a test pair is trained on."""
        return self._get("mirrored")

    @cached_property
    def unigram(self) -> Mapping[str, Float64[Tensor, " run"]]:
        """Loss of a prediction by frequency alone, by split."""
        return self._get("unigram")

    @cached_property
    def kernels(self) -> KernelPair:
        """Tangent kernels now and at step 0."""
        return self._get("kernels")

    @cached_property
    def hessian(self) -> Hessian:
        """Products of the Hessian with vectors."""
        return self._get("hessian")

    @cached_property
    def circuit(self) -> Circuit:
        """What the circuit of addition mod p is read from."""
        return self._get("circuit")

    @cached_property
    def ablated(self) -> Ablated:
        """The network with a part of it replaced."""
        return self._get("ablated")

    @cached_property
    def composition(self) -> Composition:
        """What the composition of a group is read from."""
        return self._get("composition")

    @cached_property
    def symbols(self) -> Symbols:
        """Embeddings of the symbols of a toy network."""
        return self._get("symbols")

    @cached_property
    def dynamics(self) -> Dynamics:
        """What all updates so far did."""
        return self._get("dynamics")

    @cached_property
    def saturated(self) -> Saturated:
        """The network beside its saturated ones."""
        return self._get("saturated")

    @cached_property
    def network(self) -> Network:
        """Outputs on fixed examples as a function of the parameters."""
        return self._get("network")
