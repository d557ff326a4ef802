"""What the irreducible representations of a group do for a network that composes its elements."""

from typing import NamedTuple

import torch
from einops import einsum, rearrange
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from grok.groups import group
from grok.measures.snapshot import Composition, Readings, Snapshot
from grok.metrics.group_fourier import (
    character_coefficients,
    irrep_basis,
    irrep_characters,
    irrep_power,
    pairs_by_product,
)
from grok.metrics.irrep_logits import irrep_parts, irrep_shares, losses_without
from grok.metrics.irreps import irreps
from grok.metrics.loss import cross_entropy, is_right
from grok.metrics.progress import key_frequencies


class _Representations(NamedTuple):
    """The representations of a group as the metrics take them."""

    names: tuple[str, ...]
    basis: Float64[Tensor, "n n"]
    of_row: Int64[Tensor, " n"]
    """Representation of each row of the basis."""
    table: Int64[Tensor, "n n"]


def irrep_measures(snapshot: Snapshot) -> Readings:
    """Power, character coefficients and losses by irreducible representation, and for the keys.

    The keys are those that the snapshot names, or those of :func:`key_irreps` in the network as it
    is. The measures are those of Nanda et al. 2023 for addition, with the representations of any
    finite group in place of frequencies.
    """
    composition = snapshot.composition
    of = _representations(composition)
    n_irreps = len(of.names)
    power = {
        name: irrep_power(matrix, of.basis, of.of_row, n_irreps)[:, 1:]
        for name, matrix in composition.matrices.items()
    }
    is_key = key_irreps(power["W_L"], of)
    if composition.keys:
        given = torch.tensor([name in composition.keys for name in of.names])
        is_key = given.to(is_key.device).expand_as(is_key)
    readings = {"irrep/n_keys": is_key.double().sum(dim=-1)}
    readings |= _each("irrep/key", is_key.double(), of)
    for name, found in power.items():
        share = found / found.sum(dim=-1, keepdim=True)
        readings |= _each(f"irrep/power/{name}", _with_trivial(share), of)
        readings[f"irrep/power_in_keys/{name}"] = (share * is_key[:, 1:]).sum(dim=-1)
    return readings | _logits(composition, of, is_key) | _losses(composition, of, is_key)


def key_irreps(
    power: Float64[Tensor, "run other"], of: _Representations
) -> Bool[Tensor, "run irrep"]:
    """Representations that stand out in a matrix: the rule of the measures without given keys.

    The power per basis function of a representation, d^2 of them (d^2 / 2 for complex type), is
    compared by :func:`~grok.metrics.progress.key_frequencies`. Without the division a line, with
    one function, would hardly ever stand out beside a representation of dimension 6, with 36,
    although random weights have equal power in every function.

    Args:
        power: Of each representation but the trivial one.
        of: The representations.
    """
    n_functions = of.of_row.bincount()[1:]
    return key_frequencies(_with_trivial(power / n_functions))


def _representations(composition: Composition) -> _Representations:
    name, device = composition.group, composition.logits.device
    basis, index = (x.to(device) for x in irrep_basis(name))
    table = torch.tensor(group(name).table, device=device)
    return _Representations(tuple(each.name for each in irreps(name)), basis, index, table)


def _with_trivial(values: Float64[Tensor, "run other"]) -> Float64[Tensor, "run irrep"]:
    """A zero for the trivial representation put before the others."""
    return torch.nn.functional.pad(values, (1, 0))


def _each(prefix: str, values: Float[Tensor, "run irrep"], of: _Representations) -> Readings:
    """One reading per representation, the trivial one left out."""
    return {f"{prefix}/{name}": values[:, i] for i, name in enumerate(of.names) if i > 0}


def _logits(
    composition: Composition, of: _Representations, is_key: Bool[Tensor, "run irrep"]
) -> Readings:
    """What the representations explain of the logits, by characters and by any functions."""
    characters = irrep_characters(composition.group).to(of.basis.device)
    fit = character_coefficients(composition.logits, characters, of.table)
    share = irrep_shares(composition.logits, of.basis, of.of_row, len(of.names), of.table)
    return {
        "irrep/fve_in_keys": (fit.share * is_key).sum(dim=-1),
        "irrep/logit_power_in_keys": (share * is_key).sum(dim=-1),
        **_each("irrep/fve", fit.share, of),
        **_each("irrep/alpha", fit.coefficient, of),
        **_each("irrep/logit_power", share, of),
    }


def _losses(
    composition: Composition, of: _Representations, is_key: Bool[Tensor, "run irrep"]
) -> Readings:
    """Restricted and excluded loss, for the keys together and for each representation."""
    parts = irrep_parts(composition.logits, of.basis, of.of_row, len(of.names), of.table)
    of_keys = einsum(is_key.double(), parts, "run irrep, run irrep h c -> run h c")
    parts = torch.cat([of_keys[:, None], parts[:, 1:]], dim=1)
    excluded = losses_without(composition.logits, parts, of.table)
    restricted, is_product = _of_products(composition.logits, parts)

    is_train = composition.is_train[:, pairs_by_product(of.table)]
    readings: Readings = {}
    for split, rows in _splits(is_train).items():
        readings[f"irrep/restricted/{split}"] = _mean(restricted, rows)[:, 0]
        readings[f"irrep/restricted_acc/{split}"] = _mean(is_product, rows)[:, 0]
        readings[f"irrep/excluded/{split}"] = _mean(excluded, rows)[:, 0]
    single = _mean(excluded, is_train)[:, 1:]
    readings["irrep/excluded_max"] = single.amax(dim=-1)
    readings |= _each("irrep/excluded_single", _with_trivial(single), of)
    single = _mean(restricted, is_train)[:, 1:]
    return readings | _each("irrep/restricted_single", _with_trivial(single), of)


def _of_products(
    logits: Float[Tensor, "run pair n"], parts: Float64[Tensor, "run part n n"]
) -> tuple[Float64[Tensor, "run part n 1"], Float64[Tensor, "run part n 1"]]:
    """Loss and accuracy of parts by themselves, with each class's mean, at every product."""
    mean = logits.mean(dim=-2, dtype=torch.float64)
    restricted = parts + rearrange(mean, "run c -> run 1 1 c")
    h = torch.arange(logits.shape[-1], device=logits.device)
    loss = cross_entropy(rearrange(restricted, "run part h c -> run part h 1 c"), h[:, None])
    return loss[..., None], is_right(restricted, h).double()[..., None]


def _splits(is_train: Bool[Tensor, "run n n"]) -> dict[str, Bool[Tensor, "run n n"]]:
    """Which pairs each split has."""
    return {"train": is_train, "test": ~is_train, "all": torch.ones_like(is_train)}


def _mean(
    x: Float64[Tensor, "run part n #n"], rows: Bool[Tensor, "run n n"]
) -> Float64[Tensor, "run part"]:
    """Mean over some of the pairs, by product and left argument."""
    of_part = rearrange(rows, "run h a -> run 1 h a")
    return torch.where(of_part, x, 0.0).sum(dim=(-2, -1)) / of_part.sum(dim=(-2, -1))
