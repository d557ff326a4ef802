"""Layouts of the progress-measures code and of TransformerLens.

Both have one tensor per matrix and heads on an axis of their own; they differ in the order of the
axes (:mod:`grok.formats.places`).

Reference:
    Nanda et al., `Progress measures for grokking via mechanistic interpretability
    <https://arxiv.org/abs/2301.05217>`_, released code; TransformerLens, ``components``.
"""

import re
from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Tensor

from grok.formats.model import (
    Model,
    Options,
    checked_config,
    checked_model,
    n_layers_of,
    n_of,
    read_off,
)
from grok.formats.places import LAYOUTS, Hooked, Place
from grok.formats.weights import Weights
from grok.inputs import InputError

_N_POS = 3
_BUFFER = re.compile(r"(^|\.)(mask|IGNORE|hook_[^.]*|rotary_[^.]*)(\.|$)")
_FLAGS = {"b_Q": "bias_qkv", "b_K": "bias_qkv", "b_V": "bias_qkv", "b_O": "bias_out"}
_FLAGS |= {"b_in": "bias_mlp", "b_out": "bias_mlp", "b_U": "bias_unembed"}


def layout_of(weights: Weights) -> Hooked:
    """Which of the two it is: only W_O has another number of axes in each, in any sizes."""
    n_axes = len(weights.shape("blocks.0.attn.W_O"))
    return "transformer_lens" if n_axes == 3 else "progress_measures"


def read(weights: Weights, layout: Hooked, options: Options) -> Model:
    """The model of a state dict in either layout.

    Biases of the MLP are kept if they are there. TransformerLens always has the others too,
    trained or not: those of queries, keys and values, of the output and of the logits are kept
    where one of their kind is not zero.

    Raises:
        InputError: If it is another kind of model, or sizes do not fit.
    """
    places = LAYOUTS[layout]
    weights.refuse_norms()
    n_layers = n_layers_of(weights, lambda layer: f"blocks.{layer}.attn.W_Q")
    sizes = _sizes(weights, places)
    n = n_of(sizes["vocab"], sizes["cls"])
    if options.n_heads not in (None, sizes["head"]):
        raise InputError(f"has {sizes['head']} heads; n_heads={options.n_heads} is not allowed")
    _skip_buffers(weights)
    parameters = _take(weights, places, sizes, n_layers)
    weights.finish()
    config = checked_config(
        n_layers=n_layers,
        n_heads=sizes["head"],
        d_mlp=sizes["d_mlp"],
        act=options.act or "relu",
        causal=True if options.causal is None else options.causal,
        **read_off(parameters),
        **_bias_flags(parameters),
    )
    return checked_model(config, n, parameters)


def write(model: Model, layout: Hooked) -> dict[str, Tensor]:
    """The state dict, with every entry that the layout's own code expects.

    Absent biases are written as zeros and tied unembeddings in full.

    Raises:
        InputError: If a parameter has no place in the layout.
    """
    c, parameters = model.config, dict(model.parameters)
    if layout == "progress_measures" and c.n_layers > 1 and not c.causal:
        raise InputError("progress_measures masks later positions; allowed is causal=True")
    sizes = {"pos": _N_POS, "vocab": model.n + 1, "cls": model.n + c.output_equals}
    sizes |= {"d_model": c.d_model, "head": c.n_heads, "d_head": c.d_head, "d_mlp": c.d_mlp}
    sizes["d_z"] = c.d_model
    dtype = parameters["W_E"].dtype
    if c.tied:
        parameters["W_U"] = parameters["W_E"][: sizes["cls"]]
    state = {}
    for ours, theirs, place in _each(LAYOUTS[layout], c.n_layers):
        shape = _shape(place, sizes)
        value = parameters.pop(ours, None)
        if value is None:
            state[theirs] = torch.zeros(shape, dtype=dtype)
        else:
            heads = {axis: sizes[axis] for axis in ("head", "d_head") if axis in place.axes}
            state[theirs] = rearrange(value, f"{place.our_axes} -> {place.axes}", **heads)
    for name, value in parameters.items():
        if value.any():
            raise InputError(f"{name} has no place in {layout}; allowed is a bias of zeros")
    return state | _buffers(layout, c.n_layers)


def _each(places: tuple[Place, ...], n_layers: int) -> list[tuple[str, str, Place]]:
    """Our name, theirs and the place of every parameter."""
    rows = []
    for place in places:
        inside = place.theirs.startswith(("attn.", "mlp."))
        for prefix in [f"blocks.{i}." for i in range(n_layers)] if inside else [""]:
            rows.append((prefix + place.ours, prefix + place.theirs, place))
    return rows


def _shape(place: Place, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(sizes[axis] for axis in place.axes.split())


def _sizes(weights: Weights, places: tuple[Place, ...]) -> dict[str, int]:
    """Length of every axis, from the first tensor that has it; later ones are held to it."""
    sizes: dict[str, int] = {"pos": _N_POS}
    for _, theirs, place in _each(places, 1):
        axes = place.axes.split()
        if place.ours not in ("W_pos", "W_E", "W_U", "W_Q", "W_in"):
            continue
        shape = weights.shape(theirs)
        if len(shape) != len(axes):
            raise InputError(f"{theirs} has shape {shape}; allowed are axes {', '.join(axes)}")
        for axis, size in zip(axes, shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise InputError(f"{theirs} has {size} of {axis}; allowed is {sizes[axis]}")
    sizes["d_z"] = sizes["d_model"]
    if sizes["head"] * sizes["d_head"] != sizes["d_model"]:
        found = f"{sizes['head']} heads of {sizes['d_head']}"
        raise InputError(f"has {found}; allowed are heads that fill d_model={sizes['d_model']}")
    return sizes


def _take(
    weights: Weights, places: tuple[Place, ...], sizes: Mapping[str, int], n_layers: int
) -> dict[str, Tensor]:
    """Every parameter there is, by our names and in our shapes."""
    parameters = {}
    for ours, theirs, place in _each(places, n_layers):
        if place.ours.startswith("b_") and theirs not in weights:
            continue
        value = weights.take(theirs, _shape(place, sizes))
        parameters[ours] = rearrange(value, f"{place.axes} -> {place.our_axes}").contiguous()
    return parameters


def _bias_flags(parameters: Mapping[str, Tensor]) -> dict[str, bool]:
    flags = dict.fromkeys(_FLAGS.values(), False)
    for name, value in parameters.items():
        flag = _FLAGS.get(name.rpartition(".")[2])
        if flag is not None:
            flags[flag] |= flag == "bias_mlp" or bool(value.any())
    return flags


def _skip_buffers(weights: Weights) -> None:
    """Set aside what is no parameter, after a look at the masks."""
    for name in weights:
        if not _BUFFER.search(name):
            continue
        buffer = weights.skip(name)
        if name.endswith("attn.mask") and not _is_causal(buffer):
            raise InputError(f"{name} is not the lower triangle of {_N_POS} positions")


def _is_causal(mask: Tensor | None) -> bool:
    if mask is None or mask.layout != torch.strided or tuple(mask.shape) != (_N_POS, _N_POS):
        return False
    triangle = torch.ones(_N_POS, _N_POS).tril()
    is_plain = mask.device.type == "cpu" and mask.dtype in (torch.bool, torch.float32)
    return is_plain and bool((mask.float() == triangle).all())


def _buffers(layout: Hooked, n_layers: int) -> dict[str, Tensor]:
    triangle = torch.ones(_N_POS, _N_POS).tril()
    buffers = {}
    for layer in range(n_layers):
        if layout == "progress_measures":
            buffers[f"blocks.{layer}.attn.mask"] = triangle.clone()
        else:
            buffers[f"blocks.{layer}.attn.mask"] = triangle.bool()
            buffers[f"blocks.{layer}.attn.IGNORE"] = torch.tensor(-torch.inf)
    return buffers
