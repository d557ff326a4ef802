"""Parts of the logits by representation, against projections and losses written out."""

import pytest
import torch
from einops import rearrange
from torch import Tensor

from grok.groups import group
from grok.metrics.group_fourier import irrep_basis, pairs_by_product, product_means
from grok.metrics.irrep_logits import irrep_parts, irrep_shares, losses_without
from grok.metrics.irreps import irreps
from tests.metrics.test_group_fourier import cubes, gaussian, projection, table_of

GROUPS = ["C7", "C8", "S3", "A4", "D5", "S3xC5"]
each_group = pytest.mark.parametrize("name", GROUPS)


def parts_of(name: str, logits: Tensor) -> Tensor:
    return irrep_parts(logits, *irrep_basis(name), n_irreps=len(irreps(name)), table=table_of(name))


def shares_of(name: str, logits: Tensor) -> Tensor:
    n_irreps = len(irreps(name))
    return irrep_shares(logits, *irrep_basis(name), n_irreps=n_irreps, table=table_of(name))


@each_group
def test_pairs_of_a_product_have_it_and_are_all(name: str) -> None:
    pairs, n = pairs_by_product(table_of(name)), group(name).order
    assert (table_of(name).flatten()[pairs] == torch.arange(n)[:, None]).all()
    assert pairs.flatten().sort().values.tolist() == list(range(n * n))
    assert (pairs // n == torch.arange(n)).all()


@each_group
def test_parts_put_at_every_pair_are_projections(name: str) -> None:
    logits, pairs = gaussian(group(name).order ** 2, 4), table_of(name).flatten()
    for i, part in enumerate(parts_of(name, logits)):
        expected = projection(name, logits, i) if i else logits.mean(dim=0).expand_as(logits)
        torch.testing.assert_close(part[pairs], expected)


@each_group
def test_parts_sum_to_the_means_of_the_products(name: str) -> None:
    logits = gaussian(group(name).order ** 2, 4)
    total = parts_of(name, logits).sum(dim=0)
    torch.testing.assert_close(total, product_means(logits, table_of(name)))


@each_group
def test_shares_of_a_sum_of_characters_are_those_of_its_terms(name: str) -> None:
    terms = gaussian(len(irreps(name)))[:, None, None] * cubes(name)
    energy = terms.square().sum(dim=(1, 2))
    energy[0] = 0
    of_pair, of_class = gaussian(group(name).order ** 2, 1), gaussian(group(name).order, seed=1)
    found = shares_of(name, terms.sum(dim=0) + of_pair + of_class)
    torch.testing.assert_close(found, energy / energy.sum())


@each_group
def test_functions_of_the_product_alone_are_explained_entirely(name: str) -> None:
    n = group(name).order
    of_product = gaussian(n, n)[table_of(name).flatten()]
    one = torch.ones((), dtype=torch.float64)
    torch.testing.assert_close(shares_of(name, of_product).sum(), one)
    assert shares_of(name, gaussian(n * n, n)).sum() < 0.5


@each_group
def test_losses_without_a_part_are_cross_entropies_of_what_is_left(name: str) -> None:
    n, table = group(name).order, table_of(name)
    logits, parts = 5 * gaussian(n * n, n), 3 * gaussian(2, n, n, seed=1)
    found = losses_without(logits, parts, table)
    for part, losses in zip(parts, found, strict=True):
        left = logits - part[table.flatten()]
        expected = torch.nn.functional.cross_entropy(left, table.flatten(), reduction="none")
        torch.testing.assert_close(losses, expected[pairs_by_product(table)])


def test_the_loss_of_large_logits_has_no_rounding_error_of_one() -> None:
    """A right answer ahead by 30 nats, half of it taken away, all of it with a shift by 500."""
    table = table_of("S3")
    right = torch.eye(6, dtype=torch.float64)
    logits = 30 * right[table.flatten()] + 500
    expected = torch.tensor([5 * torch.exp(torch.tensor(-15.0).double()), 5.0]).log1p()
    found = losses_without(logits, torch.stack([15 * right + 7, 30 * right]), table)
    torch.testing.assert_close(rearrange(found, "part h a -> part (h a)").amax(dim=-1), expected)
