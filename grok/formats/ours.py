"""Our own layout: every parameter under its name, as in a run's checkpoints."""

from dataclasses import replace

from grok.formats.model import Model, Options, checked_config, checked_model, n_of, refused
from grok.formats.weights import Weights
from grok.inputs import InputError
from grok.models.config import TransformerConfig
from grok.models.transformer import Transformer


def read(weights: Weights, config: TransformerConfig | None, options: Options) -> Model:
    """The model of our names.

    Args:
        weights: The file's tensors.
        config: Config of the run. Without it names and shapes tell all but the activation (the
            default, unless there is a gate), the mask (the default) and the heads.
        options: What overrules the config.

    Raises:
        InputError: If names or shapes are not those of the config, or cannot tell it.
    """
    if config is None:
        weights.refuse_norms()
        config = _inferred(weights, options)
    given = {name: x for name, x in options._asdict().items() if x is not None}
    chosen = refused(lambda: replace(config, **given))
    vocab = weights.shape("W_E")[:1]
    n = n_of(*vocab, *(vocab if chosen.tied else weights.shape("W_U")[:1])) if vocab else 0
    if chosen.n_layers > len(weights):  # a name for each would be made
        raise InputError(f"has {len(weights)} tensors; its config has {chosen.n_layers} layers")
    shapes = Transformer(chosen, n).shapes()
    parameters = {name: weights.take(name, shape) for name, shape in shapes.items()}
    weights.finish()
    return checked_model(chosen, n, parameters)


def _inferred(weights: Weights, options: Options) -> TransformerConfig:
    """The config that names and shapes tell."""
    if options.n_heads is None:
        raise InputError("does not say how many heads it has; give n_heads or the run's config")
    sizes = [weights.shape(name) for name in ("W_E", "blocks.0.W_in")]
    if any(len(shape) != 2 for shape in sizes):
        raise InputError(f"has W_E and W_in of shapes {sizes}; allowed are matrices")
    n_layers = 1 + max((int(i) for i in map(_layer, weights) if i.isdecimal()), default=0)
    default = TransformerConfig()
    return checked_config(
        n_layers=n_layers,
        d_model=sizes[0][1],
        n_heads=options.n_heads,
        d_mlp=sizes[1][0],
        act="glu" if "blocks.0.W_gate" in weights else options.act or default.act,
        causal=default.causal,
        bias_qkv="blocks.0.b_Q" in weights,
        bias_out="blocks.0.b_O" in weights,
        bias_mlp="blocks.0.b_in" in weights,
        bias_unembed="b_U" in weights,
        tied="W_U" not in weights,
        output_equals="W_U" not in weights or weights.shape("W_U")[:1] == sizes[0][:1],
    )


def _layer(name: str) -> str:
    """Number of the block that a parameter is in; empty if it is in none or has too many digits."""
    first, _, rest = name.partition(".")
    number = rest.partition(".")[0]
    return number if first == "blocks" and len(number) < 6 else ""
