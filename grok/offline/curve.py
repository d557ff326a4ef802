"""Norms along a series of checkpoints, and what lies between neighbours.

Shapes: ``reading`` - checkpoints in the order of their steps.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from grok.formats.weights import shown
from grok.inputs import InputError
from grok.offline.layouts import layout_of, sets_of
from grok.offline.series import CheckpointSeries, Problem, Revision
from grok.offline.stored_sums import Record, StoredSums, Sums

_CHUNK = 2**20
"""Numbers of a tensor that are taken to float64 at once."""


@dataclass(frozen=True)
class Curve:
    """A series that was read."""

    series: str
    layout: str
    """One of :data:`grok.offline.layouts.LAYOUTS`, or ``none``."""
    n_weights: Mapping[str, int]
    """Weights of each set, tied ones once."""
    records: Sequence[Record]
    problems: Sequence[Problem]

    @property
    def steps(self) -> Int64[np.ndarray, " reading"]:
        """Steps of the checkpoints."""
        return np.array([record.step for record in self.records], dtype=np.int64)

    def columns(self, name: str) -> dict[str, Float64[np.ndarray, " reading"]]:
        r"""What is known of a set at each checkpoint, by log key without the set.

        With :math:`\delta` the difference to the checkpoint before, not a single update: updates
        that are alike add up in it. The first checkpoint has a norm alone, and sums of 0; of two
        equal checkpoints cosines with :math:`\delta` and ratios are NaN.

        Reference:
            Merrill et al. 2021, figures 1 and 5.
        """
        rows = [record.sums[name] for record in self.records]
        square, cross, delta = (np.array(x, dtype=np.float64) for x in zip(*rows, strict=True))
        before = np.concatenate([[np.nan], square[:-1]])
        total = np.concatenate([[0.0], delta[1:].cumsum()])
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                "norm/theta": np.sqrt(square),
                "norm/delta": np.sqrt(delta),
                "dir/cos_prev": (before + cross) / np.sqrt(before * square),
                "align/theta_delta": cross / np.sqrt(before * delta),
                "norm/pyth_ratio": (square - before) / delta,
                "norm/cum_delta_sq": total,
                "norm/misaligned_share": total / (square - square[0]),
            }


_Held = dict[str, Tensor]
"""The parameters of a revision, in memory."""


class _Reader:
    """Reads revisions that have the parameters of the first one that was read.

    Args:
        layout: Name of the layout, ``auto`` for what the names say.
        include: Expression of the set ``chosen``.
    """

    def __init__(self, layout: str, include: str) -> None:
        self.layout, self.include = layout, include
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.sets: dict[str, list[str]] = {}

    def read(self, revision: Revision) -> _Held:
        """The parameters of a revision.

        Raises:
            InputError: If it cannot be read, or has other parameters than the others.
        """
        with revision.load() as tensors:
            return self.take(tensors)

    def take(self, tensors: Mapping[str, Tensor]) -> _Held:
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

    def sums(self, held: _Held, before: _Held | None) -> dict[str, Sums]:
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
    reader = _Reader(layout, "")
    held = reader.take(tensors)
    return {name: math.sqrt(found.square) for name, found in reader.sums(held, None).items()}


def _tied(tensors: Mapping[str, Tensor], layers: set[str]) -> set[str]:
    """Tensors outside the layers that repeat another: embeddings that are stored more than once.

    A layer's parameters may be equal at first, as gains are, without being tied.
    """
    copies = {name for name in tensors if _twin(name) in tensors}
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


def read_curve(
    series: CheckpointSeries,
    *,
    layout: str = "auto",
    include: str = "",
    stored: Path | None = None,
    tell: Callable[[int], None] = lambda done: None,
) -> Curve:
    """Norms and steps of every set of parameters, in one pass over the files.

    Two checkpoints are in memory at a time; safetensors are not even copied there. Sums are in
    float64 whatever the type of the weights. What cannot be read is left out, and the step is taken
    to the next checkpoint that can.

    Args:
        series: The checkpoints.
        layout: One of :data:`grok.offline.layouts.LAYOUTS`, ``none``, or ``auto``.
        include: Regular expression of names; they make the set ``chosen``.
        stored: File in which each revision's sums are kept, written whole after each, and from
            which they are taken as long as neither it nor the one before it has changed.
        tell: Called with the number of revisions that are done.

    Returns:
        The curve, with one problem for each revision that is missing, not alone or not usable.

    Raises:
        InputError: If no revision can be read.
    """
    reader, known = _Reader(layout, include), StoredSums(stored, f"{layout} {include}")
    known.forget_all_but(series.revisions)
    records, problems = [], list(series.problems)
    for done, record in enumerate(_records(series.revisions, reader, known), 1):
        if isinstance(record, Problem):
            problems.append(record)
        else:
            records.append(record)
        tell(done)
    if not records:
        first = f"; {problems[0].name} {problems[0].text}" if problems else ""
        raise InputError(f"{series.name} has no checkpoint that can be read{first}")
    n_weights = known.n_weights or reader.n_weights()
    return Curve(series.name, known.layout or reader.layout, n_weights, records, problems)


def _records(
    revisions: Sequence[Revision], reader: _Reader, known: "StoredSums"
) -> Iterator[Record | Problem]:
    """What is known of each revision, or why it is not."""
    before: Revision | None = None
    held: _Held | None = None
    for revision in revisions:
        record = known.find(revision, before)
        if record is None:
            try:
                if before is not None and held is None:
                    held = _again(reader, before)
                found = reader.read(revision)
                record = known.keep(
                    revision, before, reader.sums(found, held), reader.layout, reader.n_weights()
                )
            except InputError as error:
                yield Problem(revision.name, str(error))
                continue
            held = found
        else:
            held = None
        before = revision
        yield record


def _again(reader: _Reader, revision: Revision) -> _Held:
    """A revision whose sums are known, for the one that follows it."""
    try:
        return reader.read(revision)
    except InputError as error:
        raise InputError(f"cannot be compared: {revision.name} before it {error}") from error
