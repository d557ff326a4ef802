"""Names and shapes of a transformer's parameters, without the ``run`` axis."""

from typing import NamedTuple

from grok.models.config import NormConfig, TransformerConfig

Shapes = dict[str, tuple[int, ...]]


class Tokens(NamedTuple):
    """What a network reads and answers."""

    vocab: int
    """Tokens that it embeds."""
    n_ctx: int
    """Positions that it knows; sequences may be shorter."""
    n_classes: int
    """Classes that it answers with: the first tokens of the vocabulary."""


def parameter_shapes(config: TransformerConfig, reads: Tokens) -> Shapes:
    """Every parameter that exists, in the order in which initial values are drawn."""
    c, d = config, config.d_model
    shapes: Shapes = {"W_E": (reads.vocab, d)}
    if c.positions == "learned":
        shapes["W_pos"] = (reads.n_ctx, d)
    for layer in range(c.n_layers):
        shapes |= {f"blocks.{layer}.{name}": shape for name, shape in _block(c).items()}
    if c.norm.final:
        shapes |= _norm(c.norm, "ln_final", d)
    if not c.tied:
        shapes["W_U"] = (reads.n_classes, d)
    if c.bias_unembed:
        shapes["b_U"] = (reads.n_classes,)
    return shapes


def _block(c: TransformerConfig) -> Shapes:
    norm, d = c.norm, c.d_model
    shapes: Shapes = {}
    unused = norm.build_unused and any(norm.flags)
    if norm.q or norm.k or norm.v or unused:
        shapes |= _norm(norm, "ln1", d)
    for name in "QKV":
        shapes[f"W_{name}"] = (d, d)
        if c.bias_qkv:
            shapes[f"b_{name}"] = (d,)
    if norm.qk_proj:
        shapes |= _norm(norm, "ln_q", c.d_head) | _norm(norm, "ln_k", c.d_head)
    shapes["W_O"] = (d, d)
    if c.bias_out:
        shapes["b_O"] = (d,)
    if norm.mlp or (unused and not c.attn_only):
        shapes |= _norm(norm, "ln2", d)
    shapes |= {} if c.attn_only else _mlp(c)
    for place in ("peri", "post"):
        if getattr(norm, place):
            shapes |= _norm(norm, f"ln1_{place}", d)
            shapes |= {} if c.attn_only else _norm(norm, f"ln2_{place}", d)
    return shapes


def _mlp(c: TransformerConfig) -> Shapes:
    shapes: Shapes = {}
    for name in ("W_in", "W_gate") if c.act == "glu" else ("W_in",):
        shapes[name] = (c.d_mlp, c.d_model)
        if c.bias_mlp:
            shapes[name.replace("W", "b")] = (c.d_mlp,)
    shapes["W_out"] = (c.d_model, c.d_mlp)
    return shapes | ({"b_out": (c.d_model,)} if c.bias_mlp else {})


def _norm(norm: NormConfig, name: str, d: int) -> Shapes:
    """Gain and bias of one norm; L2 and centring have neither, RMSNorm no bias."""
    if norm.affine == "none" or norm.kind in ("l2", "centre"):
        return {}
    return {f"{name}.w": (d,)} | ({f"{name}.b": (d,)} if norm.kind == "layer" else {})


def is_trained(config: TransformerConfig, name: str) -> bool:
    """Whether the parameter ever gets a gradient."""
    norm, part = config.norm, name.rpartition(".")[0].rpartition(".")[2]
    if part == "ln1" and not (norm.q or norm.k or norm.v):
        return False
    if part == "ln2" and not norm.mlp:
        return False
    return not (part.startswith("ln") and norm.affine == "frozen")
