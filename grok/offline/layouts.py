"""Named sets of the parameters of published transformers, by their names alone."""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from grok.inputs import InputError
from grok.models.parameter_sets import parameter_sets

_START = r"(?:^|\.)"


class Layout(NamedTuple):
    """How a family of models calls its parameters."""

    mark: str
    """Expression that one of the names of such a model matches, and none of another's."""
    sets: Mapping[str, str]
    """Expression of the members of each set beside ``all``."""
    layers: Mapping[str, str]
    """Beginning of the names of the layers' sets: expression whose group is the layer."""
    buffers: str = "(?!)"
    """Expression of what a file may store beside parameters."""


_T5 = r"(?:block\.|final_layer_norm\.)"
_NEOX = r"(?:^|\.)(?:gpt_neox\.)?"

LAYOUTS: Mapping[str, Layout] = {
    "t5": Layout(
        rf"{_START}encoder\.block\.\d",
        {
            "encoder": rf"{_START}encoder\.{_T5}",
            "decoder": rf"{_START}decoder\.{_T5}",
            "encoder+decoder": rf"{_START}(?:en|de)coder\.{_T5}",
        },
        {
            "layer": rf"{_START}encoder\.block\.(\d+)\.",
            "decoder.layer": rf"{_START}decoder\.block\.(\d+)\.",
        },
    ),
    "gpt_neox": Layout(
        rf"{_NEOX}layers\.\d+\.attention\.query_key_value\.",
        {"encoder": rf"{_NEOX}(?:layers\.\d+\.|final_layer_norm\.)"},
        {"layer": rf"{_NEOX}layers\.(\d+)\."},
        r"attention\.(?:bias|masked_bias)$|inv_freq$",
    ),
    "bert": Layout(
        rf"{_START}encoder\.layer\.\d",
        {"encoder": rf"{_START}encoder\.layer\."},
        {"layer": rf"{_START}encoder\.layer\.(\d+)\."},
        r"embeddings\.(?:position|token_type)_ids$",
    ),
    "gpt2": Layout(
        rf"{_START}h\.\d+\.attn\.c_attn\.",
        {"encoder": rf"{_START}(?:h\.\d+\.|ln_f\.)"},
        {"layer": rf"{_START}h\.(\d+)\."},
        r"\.attn\.(?:bias|masked_bias)$",
    ),
    "xlnet": Layout(
        rf"{_START}layer\.\d+\.rel_attn\.",
        {"encoder": rf"{_START}layer\.\d"},
        {"layer": rf"{_START}layer\.(\d+)\."},
    ),
    "grok": Layout(r"^blocks\.\d+\.W_|^W_E$", {}, {}),
}
"""By name: ``t5`` is of T5, UMT5 and Pile-T5 too, ``gpt_neox`` of Pythia, ``bert`` of RoBERTa and
MultiBERTs; ``grok`` is ours. ``encoder`` is the set of Merrill et al. 2021, appendix A: blocks with
their norms and biases, and a final norm; neither embeddings nor read-out. T5's table of relative
positions is in a block, and counts."""


def layout_of(names: Collection[str]) -> str:
    """Name of the layout that parameters have; ``none`` if it is none of :data:`LAYOUTS`."""
    for kind, layout in LAYOUTS.items():
        if any(re.search(layout.mark, name) for name in names):
            return kind
    return "none"


def sets_of(names: Collection[str], kind: str, include: str = "") -> dict[str, list[str]]:
    """Members of each set, ``all`` first; buffers are in none.

    Args:
        names: Tensors of a checkpoint.
        kind: One of :data:`LAYOUTS`; with ``none`` there is the set ``all`` alone.
        include: Expression; what it is found in is the set ``chosen``. Empty for no such set.

    Returns:
        By name: ``all``; those of the layout; ``layer.<i>``, of T5's decoder ``decoder.layer.<i>``.
        Sets without members are left out.

    Raises:
        InputError: If ``include`` is no expression or finds nothing.
    """
    layout = LAYOUTS.get(kind, Layout("", {}, {}))
    kept = [name for name in names if not re.search(layout.buffers, name)]
    found = {"all": kept}
    if include:
        found["chosen"] = [name for name in kept if expression(include, "include").search(name)]
        if not found["chosen"]:
            raise InputError(f"include={include} finds no tensor, such as {kept[0]}")
    if kind == "grok":
        return found | parameter_sets(kept, ("all", "encoder", "layers"))
    for name, members in layout.sets.items():
        found[name] = [each for each in kept if re.search(members, each)]
    for start, members in layout.layers.items():
        layers: dict[int, list[str]] = {}
        for each in kept:
            if match := re.search(members, each):
                layers.setdefault(int(match[1]), []).append(each)
        found |= {f"{start}.{i}": layers[i] for i in sorted(layers)}
    return {name: members for name, members in found.items() if members}


def expression(text: str, name: str, n_groups: int | None = None) -> re.Pattern[str]:
    """A regular expression of the user's.

    Args:
        text: The expression.
        name: What it is called in a complaint.
        n_groups: How many groups it must have.

    Raises:
        InputError: If it is none or has another number of groups.
    """
    try:
        found = re.compile(text)
    except re.error as error:
        raise InputError(f"{name}={text} is no regular expression: {error}") from error
    if n_groups is not None and found.groups != n_groups:
        raise InputError(
            f"{name}={text} has {found.groups} groups; allowed is {n_groups}, the step"
        )
    return found
