"""The layout of plain PyTorch modules: ``nn.MultiheadAttention``, ``nn.Linear``, ``nn.Embedding``.

There is no one such layout. Attention names its parameters itself (``in_proj_weight``,
``out_proj``); the block around it is what shares its prefix, with two matrices for the MLP; outside
the blocks names and shapes tell the embeddings from the unembedding. All matrices are out x in.
"""

import re
from collections.abc import Mapping
from itertools import permutations

import torch
from einops import rearrange
from torch import Tensor

from grok.formats.model import Model, Options, checked_config, checked_model, n_of, read_off
from grok.formats.weights import Weights, shown
from grok.inputs import InputError

MARK = "in_proj_weight"
"""What every attention of this layout has."""

# In this order: `unembedding` contains `emb`.
_ROLES = {
    "W_U": re.compile(
        r"unemb|(^|[._])(lm_?head|head|decoder|output|out|fc_out|to_?logits|readout|classifier)[._]"
    ),
    "W_pos": re.compile(r"pos|wpe"),
    "W_E": re.compile(r"emb|tok|wte"),
}
_SAID = {"W_E": "a token embedding", "W_pos": "position embeddings", "W_U": "an unembedding"}
_INSIDE: Mapping[str, str] = {
    "W_Q": "",
    "W_K": "",
    "W_V": "",
    "b_Q": "",
    "b_K": "",
    "b_V": "",
    "W_O": "attn.out_proj.weight",
    "b_O": "attn.out_proj.bias",
    "W_in": "linear1.weight",
    "b_in": "linear1.bias",
    "W_out": "linear2.weight",
    "b_out": "linear2.bias",
}
_FIRST_AND_SECOND = (("in", "out"), ("up", "down"), ("fc", "proj"))


def read(weights: Weights, options: Options) -> Model:
    """The model of such a state dict. Biases are kept where there are any.

    Raises:
        InputError: If the number of heads is not given, which no shape tells, or if a tensor is
            missing, left over, or of the wrong shape.
    """
    weights.refuse_norms()
    blocks = _blocks(weights)
    d_model = (*weights.shape(blocks[0][1] + MARK), 0, 0)[1]
    if options.n_heads is None:
        raise InputError(
            f"does not say how many heads it has; give n_heads, a divisor of {d_model}"
        )
    causal = _causal(weights, options.causal)
    # Outside first: with one block and no prefix only names tell what is not in it.
    parameters = _outside(weights, [block for block, _ in blocks], d_model)
    for layer, (block, attention) in enumerate(blocks):
        inside = _attention(weights, attention, d_model) | _mlp(weights, block, d_model)
        parameters |= {f"blocks.{layer}.{name}": x for name, x in inside.items()}
    weights.finish()
    n = n_of(len(parameters["W_E"]), len(parameters["W_U"]))
    config = checked_config(
        n_layers=len(blocks),
        n_heads=options.n_heads,
        d_mlp=len(parameters["blocks.0.W_in"]),
        act=options.act or "relu",
        causal=causal,
        **read_off(parameters),
        **_bias_flags(parameters),
    )
    return checked_model(config, n, parameters)


def _bias_flags(parameters: Mapping[str, Tensor]) -> dict[str, bool]:
    """Which biases there are; one that another block lacks is found missing later."""
    names = {name.rpartition(".")[2] for name in parameters}
    return {
        "bias_qkv": "b_Q" in names,
        "bias_out": "b_O" in names,
        "bias_mlp": "b_in" in names or "b_out" in names,
        "bias_unembed": "b_U" in names,
    }


def write(model: Model) -> dict[str, Tensor]:
    """A state dict of such modules; biases that the model lacks are left out."""
    config, parameters = model.config, model.parameters
    n_classes = model.n + config.output_equals
    state = {
        "token_embedding.weight": parameters["W_E"],
        "position_embedding.weight": parameters["W_pos"],
    }
    for layer in range(config.n_layers):
        ours = {name: parameters.get(f"blocks.{layer}.{name}") for name in _INSIDE}
        packed = {"in_proj_weight": ("W_Q", "W_K", "W_V"), "in_proj_bias": ("b_Q", "b_K", "b_V")}
        for theirs, names in packed.items():
            values = [x for x in map(ours.get, names) if x is not None]
            if values:
                state[f"blocks.{layer}.attn.{theirs}"] = torch.cat(values)
        for name, theirs in _INSIDE.items():
            value = ours[name]
            if theirs and value is not None:
                state[f"blocks.{layer}.{theirs}"] = value
    state["unembedding.weight"] = parameters["W_E" if config.tied else "W_U"][:n_classes]
    if config.bias_unembed:
        state["unembedding.bias"] = parameters["b_U"]
    return state


def _blocks(weights: Weights) -> list[tuple[str, str]]:
    """Prefixes of each block and of its attention, in the order of their numbers."""
    attentions = [name.removesuffix(MARK) for name in weights if name.endswith(MARK)]
    found = [(_parent(name), name) for name in sorted(attentions, key=_natural)]
    prefixes = [block for block, _ in found]
    if len(set(prefixes)) != len(prefixes) or ("" in prefixes and len(prefixes) > 1):
        raise InputError("has two attentions in one block; allowed is one")
    return found


def _causal(weights: Weights, given: bool | None) -> bool:
    """Whether later positions are masked; buffers are set aside, as their conventions differ."""
    for name in weights:
        last = name.rpartition(".")[2]
        if "mask" in last and given is None:
            raise InputError(f"has {shown(name)}; give causal, which says what it masks")
        if "mask" in last or last.endswith("_ids"):
            weights.skip(name)
    return bool(given)


def _parent(prefix: str) -> str:
    """``blocks.0.attn.`` -> ``blocks.0.``, and what has no parent -> empty."""
    outer, dot, _ = prefix.removesuffix(".").rpartition(".")
    return outer + dot


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorting key by which 10 comes after 9."""
    parts = re.split(r"(\d{1,9})", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _outside(weights: Weights, blocks: list[str], d_model: int) -> dict[str, Tensor]:
    """Embeddings and unembedding, by name; shapes decide whether the name was right."""
    found: dict[str, list[str]] = {name: [] for name in _ROLES}
    for name in weights:
        is_inside = any(name.startswith(block) if block else _is_inside(name) for block in blocks)
        if is_inside or len(weights.shape(name)) < 2:
            continue
        role = next((r for r, pattern in _ROLES.items() if pattern.search(name.lower())), None)
        if role is not None:
            found[role].append(name)
    parameters = {}
    for role, names in found.items():
        if len(names) != 1:
            listed = ", ".join(map(shown, names[:4])) or "none"
            raise InputError(f"has for {_SAID[role]}: {listed}; allowed is one")
        shape = weights.shape(names[0])
        if role == "W_pos" and len(shape) == 3:
            value = weights.take(names[0], (1, 3, d_model))
            parameters[role] = rearrange(value, "1 pos d_model -> pos d_model")
        else:
            n_rows = 3 if role == "W_pos" else shape[0]
            with_bias = _linear if role == "W_U" else _matrix
            parameters |= with_bias(weights, names[0], role, (n_rows, d_model))
    return parameters


def _is_inside(name: str) -> bool:
    """Whether a name is of attention or an MLP, where no prefix says so."""
    inside = r"proj|(^|\.)(mlp|ffn?|feed_?forward|linear\d|fc\d)\."
    return re.search(inside, name.lower()) is not None


def _matrix(weights: Weights, name: str, ours: str, shape: tuple[int, int]) -> dict[str, Tensor]:
    return {ours: weights.take(name, shape)}


def _linear(weights: Weights, name: str, ours: str, shape: tuple[int, int]) -> dict[str, Tensor]:
    """A matrix, and its bias if there is one."""
    parameters = _matrix(weights, name, ours, shape)
    bias = name.removesuffix("weight") + "bias"
    if name.endswith("weight") and bias in weights:
        parameters[ours.replace("W", "b")] = weights.take(bias, shape[:1])
    return parameters


def _attention(weights: Weights, prefix: str, d_model: int) -> dict[str, Tensor]:
    """Packed queries, keys and values, and the output."""
    packed = weights.take(prefix + MARK, (3 * d_model, d_model))
    parameters = dict(zip(("W_Q", "W_K", "W_V"), packed.chunk(3), strict=True))
    if prefix + "in_proj_bias" in weights:
        packed = weights.take(prefix + "in_proj_bias", (3 * d_model,))
        parameters |= dict(zip(("b_Q", "b_K", "b_V"), packed.chunk(3), strict=True))
    parameters |= _linear(weights, prefix + "out_proj.weight", "W_O", (d_model, d_model))
    return {name: x.clone() for name, x in parameters.items()}


def _mlp(weights: Weights, block: str, d_model: int) -> dict[str, Tensor]:
    """The two matrices that are left in the block."""
    names = [n for n in weights if n.startswith(block) and len(weights.shape(n)) == 2]
    shapes = {name: weights.shape(name) for name in names}
    orders = [
        (a, b)
        for a, b in permutations(names, 2)
        if len(names) == 2 and shapes[a][1] == d_model and shapes[b] == (d_model, shapes[a][0])
    ]
    if not orders:
        listed = ", ".join(f"{shown(n)} {s}" for n, s in list(shapes.items())[:4]) or "none"
        raise InputError(f"has for an MLP: {listed}; allowed are d_mlp x {d_model} and back")
    first, second = orders[0] if len(orders) == 1 else _by_name(names)
    d_mlp = shapes[first][0]
    return _linear(weights, first, "W_in", (d_mlp, d_model)) | _linear(
        weights, second, "W_out", (d_model, d_mlp)
    )


def _by_name(names: list[str]) -> tuple[str, str]:
    """Which of two square matrices is first.

    Raises:
        InputError: If neither numbers nor the usual words say so.
    """
    a, b = sorted(names, key=_natural)
    if re.sub(r"\d+", "", a) == re.sub(r"\d+", "", b):
        return a, b
    for words in _FIRST_AND_SECOND:
        for first, second in ((a, b), (b, a)):
            if all(
                word in re.split(r"[._]", name)
                for word, name in zip(words, (first, second), strict=True)
            ):
                return first, second
    raise InputError(f"has {shown(a)} and {shown(b)}, both square: their order is not told")
