"""Size of parameters, gradient and update."""

from collections.abc import Iterator

import torch
from torch import Tensor

from grok.measures.snapshot import ByName, Readings, Snapshot
from grok.metrics.norms import l2_norm


def norm_growth(snapshot: Snapshot) -> Readings:
    """Norms of parameters and, where the snapshot has them, of gradient and last update.

    The gradient at step t is that of the whole training loss at the parameters after t updates
    (published codes log the one that made update t, which belongs to step t - 1). The change is
    that of Kumar et al. 2023, of all parameters that exist.
    """
    readings = dict(_norms("theta", snapshot.params))
    readings["norm/squared"] = readings["norm/theta/all"].square()
    for name in ("gradient", "delta"):
        if snapshot.has(name):
            readings |= _norms(name.replace("gradient", "grad"), getattr(snapshot, name))
    if snapshot.has("initial"):
        initial = snapshot.initial
        moved = {name: x - initial[name] for name, x in snapshot.params.items()}
        readings["norm/change"] = _total(_each(moved)) / _total(_each(initial))
    return readings


def _norms(what: str, tensors: ByName) -> Iterator[tuple[str, Tensor]]:
    each = _each(tensors)
    yield f"norm/{what}/all", _total(each)
    for name, value in each.items():
        yield f"norm/{what}/{name}", value


def _each(tensors: ByName) -> ByName:
    return {name: l2_norm(x.reshape(x.shape[0], -1)) for name, x in tensors.items()}


def _total(each: ByName) -> Tensor:
    """Norm of all tensors together from that of each."""
    return l2_norm(torch.stack(list(each.values()), dim=-1))
