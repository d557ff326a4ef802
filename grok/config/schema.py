"""The schema of a run: frozen dataclasses, one docstring per field.

The docstrings are what ``grok train EXPERIMENT --help`` prints. Everything that changes a
number in the results is a field here or in a component's own config.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from grok.config.language import check_language
from grok.config.measures import ON_OWN_NETWORK, MeasuresConfig
from grok.config.own_network import check_own_network
from grok.config.rate import check_schedule
from grok.config.sequences import check_sequences
from grok.data.config import DataConfig
from grok.data.image_config import ImageConfig
from grok.data.sequence_config import ProblemName, SequenceConfig
from grok.data.text_config import TextConfig
from grok.data.toy_config import ToyConfig
from grok.inputs import check_choices
from grok.metrics.irreps import irreps
from grok.models.config import TransformerConfig

MOST_LISTED = 12
"""Names of representations that an error lists."""


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """Loss, optimiser and weight decay."""

    kind: Literal["adamw", "adam", "sgd", "adafactor"] = "adamw"
    """Decay is decoupled in adamw and adafactor, and an L2 term of the gradient in adam and sgd.
    adafactor scales each update to the size of its parameters: its rate is relative to them."""
    lr: float = 1e-3
    """eta_0: learning rate before lr_rule."""
    lr_rule: Literal["constant", "inverse_square_readout"] = "constant"
    """Learning rate is lr, or lr / model.readout_scale ** 2."""
    warmup: int = 0
    """Steps of linear warm-up: update t (from 0) uses min(t / warmup, 1) of the rate."""
    schedule: Literal["constant", "linear", "inverse_sqrt", "cosine"] = "constant"
    """How the rate goes down after flat_steps: not at all, to final_rate at horizon along a line or
    half a cosine, or with one over the root of the step."""
    flat_steps: int = 0
    """Steps at the full rate before the schedule begins; of inverse_sqrt 1 at least."""
    horizon: int = 0
    """Step at which linear and cosine end; the rate then stays. Asking for more steps than that is
    allowed, and n_steps does not change it."""
    final_rate: float = 0.0
    """Share of the rate that is left at the horizon."""
    betas: tuple[float, float] = (0.9, 0.98)
    """Decay rates of Adam's two moments."""
    eps: float = 1e-8
    """Added to the root of Adam's second moment."""
    momentum: float = 0.0
    """Momentum of sgd."""
    weight_decay: float = 1.0
    """lambda: a step of adamw shrinks the parameters by eta * lambda; adam and sgd add
    lambda * theta to the gradient."""
    hold: Literal["lambda", "eta_lambda", "eta_lambda_alpha2"] = "lambda"
    """What stays fixed when rate or readout scale change: lambda; or eta * lambda (then the decay
    used is weight_decay * reference_lr / eta); or eta * lambda * model.readout_scale ** 2 (the
    decay of the inverse square rule without its rate)."""
    reference_lr: float = 1e-3
    """Rate at which weight_decay is meant when eta * lambda is held."""
    embed_lr: float = 0.0
    """Learning rate of the embeddings; 0 for that of the other parameters."""
    embed_weight_decay: float = -1.0
    """Weight decay of the embeddings; -1 for that of the other parameters."""
    unembed_lr: float = 0.0
    """Learning rate of the last layer, its bias included; 0 for that of the other parameters."""
    decay_exempt: tuple[Literal["embed", "unembed", "bias", "norm"], ...] = ()
    """Groups of parameters that do not decay."""
    loss: Literal["cross_entropy", "mse"] = "cross_entropy"
    """Mean cross-entropy, or mean squared distance to one-hot targets."""
    loss_dtype: Literal["float64", "float32"] = "float64"
    """Precision of the loss; float32 is for those who study the difference."""
    l1: float = 0.0
    """Weight of an added sum of absolute parameters."""
    fixed_norm: bool = False
    """After each update all parameters of a run are scaled by one factor to their norm at step 0:
    the reduced landscape of Liu, Michaud and Tegmark 2023. Moments stay as they are."""

    def __post_init__(self) -> None:
        """Refuse unknown choices and rates that cannot train."""
        check_choices(self, "optim.")
        for name in ("lr", "reference_lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"optim.{name}={getattr(self, name)} must be above 0")
        for name in ("weight_decay", "eps", "l1", "warmup", "embed_lr", "unembed_lr"):
            if getattr(self, name) < 0:
                raise ValueError(f"optim.{name}={getattr(self, name)} is negative")
        check_schedule(self)
        if self.embed_weight_decay < 0 and self.embed_weight_decay != -1:
            raise ValueError(
                f"optim.embed_weight_decay={self.embed_weight_decay}: allowed are 0 or more, and -1"
            )
        for value in (*self.betas, self.momentum):
            if not 0 <= value < 1:
                raise ValueError(f"optim.betas and optim.momentum are in [0, 1); got {value}")

    @property
    def has_groups(self) -> bool:
        """Whether embedding or last layer have a rate or decay of their own."""
        return self.embed_lr > 0 or self.unembed_lr > 0 or self.embed_weight_decay >= 0


@dataclass(frozen=True, kw_only=True)
class StopConfig:
    """When to stop before n_steps. Not part of a run's key: it changes no parameter."""

    when: Literal["never", "sustained", "decided"] = "never"
    """sustained: as soon as the last ``readings`` of acc/test are all at least ``accuracy``;
    decided: as soon as acc/train and acc/test have each been that high once."""
    accuracy: float = 0.99
    """Accuracy that counts as generalised."""
    readings: int = 10
    """How many readings in a row are sustained."""

    def __post_init__(self) -> None:
        """Refuse an unknown rule and one that can never or always hold."""
        check_choices(self, "stop.")
        if not 0 < self.accuracy <= 1:
            raise ValueError(f"stop.accuracy={self.accuracy} is not in (0, 1]")
        if self.readings < 1:
            raise ValueError(f"stop.readings={self.readings} must be 1 or more")


@dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """Which parameters are kept."""

    every: int = 0
    """Keep the parameters of every multiple of this step; 0 keeps the last step only."""
    seconds: float = 30.0
    """Save the state to resume from, and the readings so far, about this often."""

    def __post_init__(self) -> None:
        """Refuse negative periods."""
        for name in ("every", "seconds"):
            if getattr(self, name) < 0:
                raise ValueError(f"checkpoint.{name}={getattr(self, name)} is negative")


@dataclass(frozen=True, kw_only=True)
class TrackingConfig:
    """The copy of the run that goes to Weights & Biases."""

    mode: Literal["auto", "offline", "online", "disabled"] = "auto"
    """auto is offline, or online under a W&B agent. Offline files need no account."""
    project: str = "grok"
    """W&B project."""
    entity: str = ""
    """W&B entity; empty is your default."""
    group: str = ""
    """W&B group; empty is the experiment's name."""
    tags: tuple[str, ...] = ()
    """W&B tags."""
    media: bool = True
    """Whether spectra, as tables, and images of the attention patterns are in the copy, of step 0
    and about four steps a decade."""

    def __post_init__(self) -> None:
        """Refuse an unknown mode."""
        check_choices(self, "tracking.")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One run: everything that determines its numbers, and how it is carried out."""

    problem: ProblemName = "pairs"
    """What is learnt: the operation of data on pairs (a, b) by a transformer, or by embeddings and
    a decoder (toy); images by a perceptron; the next word of a text (language); or sequences: sums
    digit by digit, random tokens with a subsequence that recurs, key ... query answer, or whether
    most bits of a string are 1 (majority)."""
    data: DataConfig = field(default_factory=DataConfig)
    """The operation table and its split. Of toy, images and sequences the two seeds alone have an
    effect, of language order_seed."""
    sequence: SequenceConfig = field(default_factory=SequenceConfig)
    """The sequences, where problem is not pairs."""
    toy: ToyConfig = field(default_factory=ToyConfig)
    """The symbols, the embeddings and the decoder of toy."""
    images: ImageConfig = field(default_factory=ImageConfig)
    """The images and the perceptron of images."""
    text: TextConfig = field(default_factory=TextConfig)
    """The text of language."""
    model: TransformerConfig = field(default_factory=TransformerConfig)
    """The network."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    """Loss, optimiser and weight decay."""
    n_steps: int = 10_000
    """Optimiser updates. Asking for more later resumes the run."""
    dtype: Literal["float32", "float64"] = "float32"
    """Precision of weights and forward pass."""
    matmul_precision: Literal["highest", "high"] = "highest"
    """Of float32 products in updates: high lets a CUDA device round their factors to TF32, which is
    faster and changes the run. Readings are of the highest precision always."""
    stop: StopConfig = field(default_factory=StopConfig)
    """When to stop before n_steps."""
    measures: MeasuresConfig = field(default_factory=MeasuresConfig)
    """What is read during the run."""
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    """Which parameters are kept."""
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    """The copy on Weights & Biases."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes a CUDA device when there is one. Apple's GPU has no float64 and is not used."""
    threads: int = 1
    """CPU threads. Another number gives other rounding, so runs are compared at one."""

    def __post_init__(self) -> None:
        """Refuse unknown choices and an empty run."""
        check_choices(self)
        for name in ("n_steps", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be 1 or more")
        if self.problem in ON_OWN_NETWORK:
            check_own_network(self)
        elif self.problem == "language":
            check_language(self)
        elif self.problem != "pairs":
            check_sequences(self)
        elif self.model.positions == "none":
            raise ValueError("model.positions=none: problem=pairs needs learned")
        for family in ("progress", "hindsight", "ablation"):
            if getattr(self.measures, family).enabled:
                self._check_circuit(family)
        if self.measures.ablation.enabled and self.model.n_layers > 1:
            raise ValueError(
                f"measures.ablation.enabled=true needs model.n_layers 1, not {self.model.n_layers}"
            )
        if self.measures.irrep.enabled:
            self._check_irreps()

    def _check_circuit(self, family: str) -> None:
        """Refuse a circuit of another operation, and keys that do not exist."""
        data = self.data
        if data.operation not in ("add", "sub"):
            raise ValueError(
                f"measures.{family}.enabled=true needs data.operation add or sub, "
                f"not {data.operation}"
            )
        self._check_neurons(family)
        keys = self.measures.progress.keys
        if wrong := [key for key in keys if not 1 <= key <= data.p // 2]:
            raise ValueError(
                f"measures.progress.keys has {wrong[0]}: allowed are 1 to {data.p // 2}"
            )

    def _check_irreps(self) -> None:
        """Refuse representations where there is no group, and keys that do not exist."""
        data, keys = self.data, self.measures.irrep.key_names
        if not data.table_group:
            raise ValueError(
                f"measures.irrep.enabled=true needs data.operation compose or add, "
                f"not {data.operation}"
            )
        self._check_neurons("irrep")
        # Without keys, a sweep of many runs builds no representations.
        allowed = [irrep.name for irrep in irreps(data.table_group)[1:]] if keys else []
        if wrong := [key for key in keys if key not in allowed]:
            listed = allowed if len(allowed) <= MOST_LISTED else [*allowed[:3], "...", allowed[-1]]
            raise ValueError(f"measures.irrep.keys has {wrong[0]}: allowed are {', '.join(listed)}")

    def _check_neurons(self, family: str) -> None:
        if self.model.attn_only:
            raise ValueError(
                f"measures.{family}.enabled=true needs neurons, which model.attn_only=true has not"
            )

    @property
    def lr(self) -> float:
        """eta: the learning rate after ``optim.lr_rule``."""
        if self.optim.lr_rule == "inverse_square_readout":
            return self.optim.lr / self.model.readout_scale**2
        return float(self.optim.lr)

    @property
    def weight_decay(self) -> float:
        """Lambda after ``optim.hold``."""
        if self.optim.hold == "lambda":
            return float(self.optim.weight_decay)
        per_step = self.optim.weight_decay * self.optim.reference_lr
        if self.optim.hold == "eta_lambda_alpha2":
            per_step /= self.model.readout_scale**2
        return per_step / self.lr

    def lr_of(self, group: Literal["embed", "unembed", "rest"]) -> float:
        """Learning rate of a group of parameters."""
        own = {"embed": self.optim.embed_lr, "unembed": self.optim.unembed_lr}.get(group, 0.0)
        return own or self.lr

    def weight_decay_of(self, group: Literal["embed", "unembed", "rest"]) -> float:
        """Weight decay of a group of parameters."""
        own = self.optim.embed_weight_decay
        return own if group == "embed" and own >= 0 else self.weight_decay


def with_seed(config: RunConfig, seed: int) -> RunConfig:
    """The run with its split, initialisation and order seeds all set to ``seed``."""
    return replace(
        config,
        data=replace(config.data, split_seed=seed, order_seed=seed),
        model=replace(config.model, init_seed=seed),
    )
