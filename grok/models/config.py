"""What a transformer is: sizes, where it is normalised, how it starts. Imports no torch.

The parser of the command line needs this schema before anything heavy is loaded, which is why
it stands beside the model and not in its file.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from grok.inputs import check_choices


@dataclass(frozen=True, kw_only=True)
class NormConfig:
    """Which reads of the residual stream are normalised, and by what.

    Each flag is one arrow of the block's diagram (:mod:`grok.models.transformer`). A published
    name can stand for the whole placement: see :data:`PLACEMENTS`.
    """

    q: bool = False
    """Queries read the normalised stream (one norm is shared by q, k and v)."""
    k: bool = False
    """Keys read the normalised stream."""
    v: bool = False
    """Values read the normalised stream."""
    mlp: bool = False
    """The MLP reads the normalised stream."""
    peri: bool = False
    """The outputs of attention and MLP are normalised before they are added to the stream."""
    post: bool = False
    """The stream itself is normalised after each addition."""
    final: bool = False
    """The unembedding reads the normalised stream."""
    qk_proj: bool = False
    """Queries and keys are normalised per head after their projection (QK-norm)."""
    kind: Literal["layer", "rms", "l2", "centre"] = "layer"
    """LayerNorm, RMSNorm (no centring, no bias), division by the L2 norm, or centring alone."""
    eps: float = 1e-5
    """Added to the variance (layer) or mean square (rms); 0 is exactly blind to scale."""
    affine: Literal["trained", "frozen", "none"] = "trained"
    """Gain (and bias of LayerNorm): trained, present but fixed at 1 and 0, or absent."""
    build_unused: bool = False
    """Also build the two pre-norms that the placement does not use, as one released code does.
    They are never updated or decayed, and count in the parameter norm."""

    def __post_init__(self) -> None:
        """Refuse unknown choices and a negative epsilon."""
        check_choices(self, "model.norm.")
        if self.eps < 0:
            raise ValueError(f"model.norm.eps={self.eps} is negative; 0 or more is allowed")

    @property
    def flags(self) -> tuple[bool, ...]:
        """The placement alone, in the order of :data:`FLAGS`."""
        return tuple(getattr(self, name) for name in FLAGS)

    @property
    def name(self) -> str:
        """Shortest published name of the placement, or its flags joined by ``+``."""
        for name, flags in PLACEMENTS.items():
            if self.flags == tuple(flag in flags for flag in FLAGS):
                return name
        return "+".join(flag for flag in FLAGS if getattr(self, flag))


FLAGS = ("q", "k", "v", "mlp", "peri", "post", "final", "qk_proj")

PLACEMENTS: dict[str, tuple[str, ...]] = {
    "none": (),
    "attn": ("q", "k", "v"),
    "pre": ("q", "k", "v", "mlp"),
    "mlp": ("mlp",),
    "qk": ("q", "k"),
    "v": ("v",),
    "pre_v": ("v", "mlp"),
    "post": ("post",),
    "peri": ("q", "k", "v", "mlp", "peri"),
    "sublayer": ("peri",),
    "qk_norm": ("qk_proj",),
}
"""Canonical names of the placements: which flags each one sets."""

_ALIASES: dict[str, str] = {
    # Singh et al. 2026, Table 1 and section 2.2, and the specifiers of their code.
    "No LN": "none",
    "off": "none",
    "A*": "attn",
    "attn-pre": "attn",
    "M+A*": "pre",
    "M": "mlp",
    "mlp-pre": "mlp",
    "A^qk": "qk",
    "attn-pre-qk": "qk",
    "A^v": "v",
    "attn-pre-v": "v",
    "M+A^v": "pre_v",
    "pre-v": "pre_v",
    # Merrill et al. 2021: their "pre-norm" normalises the sublayer's output.
    "pre_ln": "pre",
    "post_ln": "post",
    "sublayer_ln": "sublayer",
}

# Names that are read and never written: what a placement is called is part of a run's key.
_WITH_KIND: dict[str, dict[str, Any]] = {
    # Not a placement alone: the probe of Singh et al. divides the MLP's input by its L2 norm.
    "mlp-inpnorm": {"mlp": True, "kind": "l2", "affine": "none", "eps": 0.0},
    # Pre-LN as language models have it, with a norm before the unembedding.
    "pre_ln_final": dict.fromkeys(("q", "k", "v", "mlp", "final"), True),
}

NORM_NAMES: tuple[str, ...] = (*PLACEMENTS, *_ALIASES, *_WITH_KIND)
"""Every name ``--model.norm`` takes."""


def norm_fields(name: str | bool) -> dict[str, Any]:
    """Fields of :class:`NormConfig` that a published name sets; the others stay as they are.

    Args:
        name: One of :data:`NORM_NAMES`. False is what YAML makes of an unquoted ``off``.

    Raises:
        ValueError: If the name is unknown; the message lists the known ones.
    """
    if name is False or str(name).lower() == "false":
        name = "none"
    name = str(name)
    flags = PLACEMENTS.get(_ALIASES.get(name, name))
    if name in _WITH_KIND:
        return {flag: False for flag in FLAGS} | _WITH_KIND[name]
    if flags is None:
        raise ValueError(f"model.norm={name} is unknown; allowed: {', '.join(NORM_NAMES)}")
    return {flag: flag in flags for flag in FLAGS}


def norm_config(name: str, **other: Any) -> NormConfig:
    """The placement with a published name, e.g. ``norm_config("A*", eps=0.0)``."""
    return replace(NormConfig(**norm_fields(name)), **other)


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """A transformer, on pairs on the tokens ``a b =``. Defaults: Singh et al. 2026."""

    n_layers: int = 1
    """Blocks."""
    d_model: int = 128
    """Width of the residual stream."""
    n_heads: int = 4
    """Attention heads; divides d_model."""
    d_mlp: int = 512
    """Hidden width of the MLP."""
    act: Literal["gelu", "relu", "glu"] = "gelu"
    """Activation of the MLP; glu is SiLU(W_gate x) * W_in x."""
    norm: NormConfig = field(default_factory=NormConfig)
    """Where the stream is normalised: a published name (none, mlp, A*, ...) or the flags."""
    causal: bool = False
    """Mask later positions in attention."""
    positions: Literal["learned", "none"] = "learned"
    """A vector for each position is added to the embedding, or none; pairs need learned."""
    attn_only: bool = False
    """A block is attention alone, without an MLP."""
    dropout: float = 0.0
    """Probability of dropping a coordinate of what attention and MLP add to the stream."""
    bias_qkv: bool = False
    """Biases on queries, keys and values."""
    bias_out: bool = False
    """Bias on the attention output."""
    bias_mlp: bool = True
    """Biases on both layers of the MLP."""
    bias_unembed: bool = False
    """Bias on the logits."""
    tied: bool = False
    """The unembedding is the embedding."""
    output_equals: bool = True
    """The token ``=`` is an output class too (p + 1 classes), legal but never correct."""
    readout_scale: float = 1.0
    """alpha: the logits are alpha times the unembedding's output."""
    temperature: float = 1.0
    """tau: the loss sees logits / tau."""
    subtract_initial: bool = False
    """Subtract the prediction at initialisation from the logits (before alpha)."""
    init: Literal["lecun", "kaiming", "nanda", "transformer_lens", "torch"] = "lecun"
    """Distribution of the initial weights; torch draws biases too, the others set them to 0."""
    init_scale: float = 1.0
    """Factor on every initial parameter, norms included."""
    init_seed: int = 0
    """Seed of the initial weights."""

    def __post_init__(self) -> None:
        """Refuse unknown choices and impossible sizes."""
        check_choices(self, "model.")
        for name in ("n_layers", "d_model", "n_heads", "d_mlp"):
            if getattr(self, name) < 1:
                raise ValueError(f"model.{name}={getattr(self, name)} must be 1 or more")
        if self.d_model % self.n_heads != 0:
            raise ValueError(
                f"model.n_heads={self.n_heads} does not divide model.d_model={self.d_model}"
            )
        if self.attn_only and self.norm.mlp:
            raise ValueError(
                f"model.norm={self.norm.name} normalises what the MLP reads, which "
                f"model.attn_only=true has not"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model.dropout={self.dropout} is not in [0, 1)")
        for name in ("readout_scale", "temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"model.{name}={getattr(self, name)} must be above 0")
        if not 0 <= self.init_seed < 2**32:
            raise ValueError(f"model.init_seed={self.init_seed} is not in [0, 2**32)")

    @property
    def d_head(self) -> int:
        """Width of one head."""
        return self.d_model // self.n_heads


Form = Literal["full", "last", "token", "folded", "table"]
"""Ways to compute the same logits, see :mod:`grok.models.forms`."""

FOLD_FROM = 1000
"""Batch from which the folded products cost less than they save (measured at d_model 128)."""

LOOK_UP_FROM = 16
"""Width of a head from which a lookup of its row is cheaper than a product with it (measured)."""


def has_tables(config: TransformerConfig) -> bool:
    """Whether the token form exists: one layer, no dropout."""
    return config.n_layers == 1 and config.dropout == 0


def can_fold(config: TransformerConfig) -> bool:
    """Whether the folded form exists: an MLP, and no norm between attention and the logits."""
    norm = config.norm
    return has_tables(config) and not (
        config.attn_only or norm.mlp or norm.peri or norm.post or norm.final
    )


def training_form(config: TransformerConfig, n_batch: int, *, looks_up: bool = False) -> Form:
    """The cheapest form for a batch of this size.

    Args:
        config: The network.
        n_batch: Pairs of an update.
        looks_up: Whether lookups are cheap: the pairs are always the same, and on a CPU.
    """
    if can_fold(config) and n_batch >= FOLD_FROM:
        return "table" if looks_up and config.d_head >= LOOK_UP_FROM else "folded"
    return "token" if has_tables(config) else "last"


PER_RUN = ("readout_scale", "temperature", "init_scale", "init_seed")
"""Fields in which the runs of one stack may differ."""

assert {f.name for f in fields(NormConfig)} >= set(FLAGS)
