"""Parameters of the checkpoints of a series, and their inner products."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from grok.formats.weights import shown
from grok.inputs import InputError
from grok.offline.layouts import layout_of, sets_of
from grok.offline.series import Revision
from grok.offline.stored_sums import Sums

_CHUNK = 2**20
"""Numbers of a tensor that are taken to float64 at once."""


Held = dict[str, Tensor]
"""The parameters of a revision, in memory."""


class Reader:
    """Reads revisions that have the parameters of the first one that was read.

    Args:
        layout: Name of the layout, ``auto`` for what the names say.
        include: Expression of the set ``chosen``.
    """

    def __init__(self, layout: str, include: str) -> None:
        self.layout, self.include = layout, include
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.sets: dict[str, list[str]] = {}

    def read(self, revision: Revision) -> Held:
        """The parameters of a revision.

        Raises:
            InputError: If it cannot be read, or has other parameters than the others.
        """
        with revision.load() as tensors:
            return self.take(tensors)

    def take(self, tensors: Mapping[str, Tensor]) -> Held:
        """The parameters among some tensors; raises as :meth:`read`."""
        if not self.sets:
            self._look_at(tensors)
        if lost := self.shapes.keys() - tensors.keys():
            raise InputError(f"lacks {shown(min(lost))}, which others have")
        found = {name: tensors[name] for name in self.shapes}
        for name, shape in self.shapes.items():
            if tuple(found[name].shape) != shape:
                raise InputError(f"{shown(name)} has shape {tuple(found[name].shape)}, not {shape}")
        return found

    def _look_at(self, tensors: Mapping[str, Tensor]) -> None:
        """Which tensors are parameters: floating point vectors and matrices, tied ones once."""
        kept = {n: x for n, x in tensors.items() if x.is_floating_point() and x.ndim >= 1}
        if not kept:
            raise InputError("has no parameter: no vector or matrix of floating point numbers")
        kind = layout_of(kept) if self.layout == "auto" else self.layout
        sets = sets_of(kept, kind, self.include)
        layers = {x for name, found in sets.items() if "layer." in name for x in found}
        copies = _tied(kept, layers)
        self.sets = {n: [x for x in members if x not in copies] for n, members in sets.items()}
        self.shapes = {name: tuple(kept[name].shape) for name in self.sets["all"]}
        self.layout = kind

    def n_weights(self) -> dict[str, int]:
        """Weights of each set."""
        return {n: sum(math.prod(self.shapes[x]) for x in xs) for n, xs in self.sets.items()}

    def sums(self, held: Held, before: Held | None) -> dict[str, Sums]:
        """Inner products of each set.

        Raises:
            InputError: If a parameter is not finite.
        """
        each = {
            name: _products(x, None if before is None else before[name]) for name, x in held.items()
        }
        for name, found in each.items():
            if not math.isfinite(found.square):
                raise InputError(f"{shown(name)} has numbers that are not finite")
        none = Sums(0.0, 0.0, 0.0)
        return {n: sum((each[x] for x in xs), start=none) for n, xs in self.sets.items()}


def set_norms(tensors: Mapping[str, Tensor], layout: str = "auto") -> dict[str, float]:
    """Norm of each set of parameters of one checkpoint, as a curve has it.

    Args:
        tensors: By name.
        layout: As for :func:`read_curve`.

    Raises:
        InputError: If there is no parameter, or one is not finite.
    """
    reader = Reader(layout, "")
    held = reader.take(tensors)
    return {name: math.sqrt(found.square) for name, found in reader.sums(held, None).items()}


def _tied(tensors: Mapping[str, Tensor], layers: set[str]) -> set[str]:
    """Tensors outside the layers that repeat another: embeddings that are stored more than once.

    A layer's parameters may be equal at first, as gains are, without being tied.
    """
    twins = ((name, tensors.get(_twin(name))) for name in tensors)
    copies = {name for name, x in twins if x is not None and torch.equal(tensors[name], x)}
    seen: dict[tuple[int, ...], list[Tensor]] = {}
    for name, x in tensors.items():
        if name in layers or x.ndim < 2:
            continue
        others = seen.setdefault(tuple(x.shape), [])
        if bool(x.any()) and any(torch.equal(x, other) for other in others):
            copies.add(name)
        else:
            others.append(x)
    return copies


def _twin(name: str) -> str:
    """Bias that a head of BERT stores a second time under its own name; else no name at all."""
    return f"{name.removesuffix('decoder.bias')}bias" if name.endswith("decoder.bias") else ""


def _products(theta: Tensor, before: Tensor | None) -> Sums:
    """Inner products of a parameter, in float64, a part at a time."""
    found = Sums(0.0, 0.0, 0.0) if before is not None else Sums(0.0)
    flat, earlier = theta.flatten(), None if before is None else before.flatten()
    for start in range(0, len(flat), _CHUNK):
        part = flat[start : start + _CHUNK].double()
        if earlier is None:
            found += Sums(float(part @ part), 0.0, 0.0)
            continue
        old = earlier[start : start + _CHUNK].double()
        delta = part - old
        found += Sums(float(part @ part), float(old @ delta), float(delta @ delta))
    return found
