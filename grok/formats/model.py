"""From what a file says of its model to a config of ours, and back to text."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, Literal, NamedTuple, TypeVar, cast

from torch import Tensor

from grok.formats.weights import Weights, same_dtype, shown
from grok.inputs import InputError
from grok.models.config import NormConfig, TransformerConfig
from grok.models.transformer import Transformer

Act = Literal["gelu", "relu", "glu"]
_T = TypeVar("_T")


class Model(NamedTuple):
    """A model in our names and shapes."""

    config: TransformerConfig
    n: int
    parameters: dict[str, Tensor]


class Options(NamedTuple):
    """What no shape says; None is unknown."""

    act: Act | None = None
    causal: bool | None = None
    n_heads: int | None = None

    def over(self, other: "Options") -> "Options":
        """These, and where they are unknown the other ones."""
        return Options(
            other.act if self.act is None else self.act,
            other.causal if self.causal is None else self.causal,
            other.n_heads if self.n_heads is None else self.n_heads,
        )


# Settings of TransformerLens under which the same weights are another network, and the only
# values that are this one.
_REQUIRED: Mapping[str, tuple[Any, ...]] = {
    "normalization_type": (None,),
    "positional_embedding_type": ("standard",),
    "use_attn_scale": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "parallel_attn_mlp": (False,),
    "use_local_attn": (False,),
    "attn_only": (False,),
    "gated_mlp": (False,),
    "attn_scores_soft_cap": (None, -1.0),
    "output_logits_soft_cap": (None, -1.0),
}


def options_of(settings: Mapping[str, Any]) -> Options:
    """What a file's own configuration says, in the names of the two published codes.

    Raises:
        InputError: If it is the configuration of a network that ours cannot be.
    """
    for name, allowed in _REQUIRED.items():
        if name in settings and settings[name] not in allowed:
            raise InputError(f"has {name}={shown_value(settings[name])}; allowed is {allowed[0]}")
    scale, d_head = settings.get("attn_scale"), settings.get("d_head")
    root = math.sqrt(d_head) if type(d_head) is int and 0 < d_head < 2**20 else -1.0
    # A scale below 0 stands for the root.
    if isinstance(scale, float) and scale >= 0 and not math.isclose(scale, root, rel_tol=1e-6):
        raise InputError(f"has attn_scale={scale}; allowed is the root of d_head={d_head}")
    return Options(_act(settings), _causal(settings), _n_heads(settings))


def shown_value(value: Any) -> str:
    """A setting as one short line."""
    return shown(value) if isinstance(value, str) else shown(str(value)).strip("'\"")


def _act(settings: Mapping[str, Any]) -> Act | None:
    name = settings.get("act_fn", settings.get("act_type"))
    if name is None:
        return None
    if str(name).lower() not in ("relu", "gelu"):
        raise InputError(f"has the activation {shown_value(name)}; allowed are relu, gelu")
    return cast(Act, str(name).lower())


def _causal(settings: Mapping[str, Any]) -> bool | None:
    direction = settings.get("attention_dir")
    return {"causal": True, "bidirectional": False}.get(str(direction))


def _n_heads(settings: Mapping[str, Any]) -> int | None:
    number = settings.get("n_heads", settings.get("num_heads"))
    return number if type(number) is int else None


def checked_config(**values: Any) -> TransformerConfig:
    """A config, or an InputError."""
    return refused(lambda: TransformerConfig(**values))


def refused(make: Callable[[], _T]) -> _T:
    """What ``make`` makes of a config; its refusal becomes an InputError."""
    try:
        return make()
    except (TypeError, ValueError) as error:
        raise InputError(str(error).splitlines()[0]) from error


def checked_model(
    config: TransformerConfig, n: int, parameters: Mapping[str, Tensor], missing: str = "has no {}"
) -> Model:
    """The parameters that the config needs, of one type.

    Raises:
        InputError: If one is missing or has another shape.
    """
    kept = {}
    for name, shape in Transformer(config, n).shapes().items():
        if name not in parameters:
            raise InputError(missing.format(name))
        if tuple(parameters[name].shape) != shape:
            found = tuple(parameters[name].shape)
            raise InputError(f"{name} has shape {found}; allowed is {shape}")
        kept[name] = parameters[name]
    return Model(config, n, same_dtype(kept))


def read_off(parameters: Mapping[str, Tensor]) -> dict[str, Any]:
    """Fields that embedding and unembedding tell. Only where they are tied are they equal."""
    W_E, W_U = parameters["W_E"], parameters["W_U"]
    return {
        "d_model": W_E.shape[1],
        "output_equals": len(W_U) == len(W_E),
        "tied": W_U.dtype == W_E.dtype and bool((W_E[: len(W_U)] == W_U).all()),
    }


def n_of(vocab: int, n_classes: int) -> int:
    """Group elements of a model with ``=`` as its last token.

    Raises:
        InputError: If the output is neither all tokens nor all but ``=``.
    """
    if vocab < 2:
        raise InputError(f"embeds {vocab} tokens; allowed are 2 or more, the last being =")
    if n_classes not in (vocab - 1, vocab):
        allowed = f"{vocab - 1} (without =) and {vocab}"
        raise InputError(f"has {n_classes} outputs for {vocab} tokens; allowed are {allowed}")
    return vocab - 1


def n_layers_of(weights: Weights, marks: Callable[[int], str]) -> int:
    """Number of blocks, counted by a name that each has."""
    n_layers = 0
    while marks(n_layers) in weights:
        n_layers += 1
    if n_layers == 0:
        raise InputError(f"has no {marks(0)}, which its layout needs")
    return n_layers


def text_of(config: TransformerConfig) -> str:
    """A config as JSON, for a file's metadata."""
    return json.dumps(asdict(config))


def config_of(text: str) -> TransformerConfig:
    """The config that :func:`text_of` wrote.

    Raises:
        InputError: If the text is anything else.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("has a damaged description of its model") from error
    if not isinstance(values, dict) or not isinstance(values.get("norm"), dict):
        raise InputError("has a damaged description of its model")
    norm = _of_types(values.pop("norm"), NormConfig())
    values = _of_types(values, TransformerConfig())
    return checked_config(**values, norm=refused(lambda: NormConfig(**norm)))


def _of_types(values: dict[str, Any], default: NormConfig | TransformerConfig) -> dict[str, Any]:
    """The values, if each is of the type that the field has by default."""
    types = {f.name: type(getattr(default, f.name)) for f in fields(default)}
    for name, value in values.items():
        is_finite = not isinstance(value, float) or math.isfinite(value)
        if name not in types or type(value) is not types[name] or not is_finite:
            raise InputError(f"describes its model by {shown(name)}={shown_value(value)}")
    return values
