"""Named sets of a network's parameters, by their names alone."""

import re
from collections.abc import Iterable, Sequence

SET_KINDS = ("all", "encoder", "groups", "layers")
"""Kinds of sets: two single ones, the parts of a partition by what they do, the layers."""

_GROUPS: dict[str, str] = {
    "W_E": "embed",
    "W_pos": "pos",
    "W_U": "unembed",
    "W_Q": "attn.qk",
    "W_K": "attn.qk",
    "W_V": "attn.ov",
    "W_O": "attn.ov",
}
INCLUDED = ("all", "weights_only", "attn_only", "no_embed")
"""Which parameters a saturated network scales."""

_NOT_ENCODER = ("W_E", "W_pos", "W_U", "b_U")


def parameter_group(name: str) -> str:
    """What a parameter of one of our networks does; each belongs to one group.

    Returns:
        ``embed``, ``pos``, ``attn.qk``, ``attn.ov``, ``mlp`` (matrices of perceptrons too), ``ln``
        (gains and biases of norms), ``bias`` (every other one) or ``unembed``.
    """
    block, _, last = name.rpartition(".")
    if block.rpartition(".")[2].startswith("ln"):
        return "ln"
    return "bias" if last.startswith("b_") else _GROUPS.get(last, "mlp")


def parameter_sets(names: Iterable[str], kinds: Sequence[str]) -> dict[str, list[str]]:
    """Members of each set, without sets that have none.

    Args:
        names: Every parameter.
        kinds: Some of :data:`SET_KINDS`.

    Returns:
        By name of the set: ``all``; ``encoder``, all but embeddings and read-out; groups by their
        name; ``layer.<i>``, block i of a transformer or hidden layer i of a perceptron, biases
        included.

    Reference:
        Merrill et al. 2021, appendix A, for ``encoder``: rows of an embedding that are seldom
        updated hide the growth. The others are ours.
    """
    found: dict[str, list[str]] = {}
    for name in names:
        layer = re.match(r"(?:blocks\.|[Wb]_)(\d+)(?:\.|$)", name)
        of = {
            "all": "all",
            "encoder": "" if name in _NOT_ENCODER else "encoder",
            "groups": parameter_group(name),
            "layers": f"layer.{layer[1]}" if layer else "",
        }
        for part in (of[kind] for kind in kinds if of[kind]):
            found.setdefault(part, []).append(name)
    return found


def included(names: Iterable[str], include: str) -> list[str]:
    """Parameters that are scaled for a saturated network.

    Args:
        names: Every parameter.
        include: One of :data:`INCLUDED`.

    Returns:
        ``all``; ``weights_only``, matrices with embeddings, positions and read-out, but no bias
        and nothing of a norm; ``attn_only``, matrices and biases of queries, keys, values and
        output; ``no_embed``, all but token and position embeddings - a tied read-out is the token
        embedding.

    Raises:
        KeyError: If ``include`` is none of them.

    Reference:
        The released code of Merrill et al. 2021 scales all, and where it is given a mask, what the
        mask says; the three others are ours.
    """
    is_kept = {
        "all": lambda _: True,
        "weights_only": lambda name: parameter_group(name) not in ("ln", "bias"),
        "attn_only": lambda name: bool(re.search(r"(^|\.)[Wb]_[QKVO]$", name)),
        "no_embed": lambda name: parameter_group(name) not in ("embed", "pos"),
    }[include]
    return [name for name in names if is_kept(name)]
