import math

import numpy as np
import pytest
import torch
from einops import einsum, rearrange, repeat
from torch import Tensor

from grok.groups import group
from grok.metrics.fourier import fourier_basis, fourier_power
from grok.metrics.group_fourier import (
    CharacterFit,
    character_coefficients,
    irrep_basis,
    irrep_characters,
    irrep_power,
    product_means,
    restrict_to_irreps,
)
from grok.metrics.irreps import irreps

GROUPS = ["C1", "C7", "C8", "S3", "A4", "D4", "D5", "S3xC5", "C3xC5"]


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def table_of(name: str) -> Tensor:
    return torch.tensor(group(name).table)


def power_of(name: str, embedding: Tensor) -> Tensor:
    return irrep_power(embedding, *irrep_basis(name), n_irreps=len(irreps(name)))


def projection(name: str, logits: Tensor, *kept: int) -> Tensor:
    is_kept = torch.zeros(len(irreps(name)), dtype=torch.bool)
    is_kept[list(kept)] = True
    return restrict_to_irreps(logits, is_kept, *irrep_basis(name), table=table_of(name))


def fit(name: str, logits: Tensor) -> CharacterFit:
    return character_coefficients(logits, irrep_characters(name), table_of(name))


def cubes(name: str) -> Tensor:
    """Trace of rho(a) rho(b) rho(c)^T for all a, b, c, from the matrices."""
    found = []
    for irrep in irreps(name):
        rho = torch.tensor(irrep.matrices)
        found.append(einsum(rho, rho, rho, "a i j, b j k, c i k -> a b c"))
    return rearrange(found, "irrep a b c -> irrep (a b) c")


@pytest.mark.parametrize("name", [*GROUPS, "S5", "A5"])
def test_the_basis_is_orthonormal_and_ordered_by_representation(name: str) -> None:
    basis, index = irrep_basis(name)
    torch.testing.assert_close(basis @ basis.T, torch.eye(len(basis), dtype=torch.float64))
    rows = [rho.dimension**2 // rho.commutant for rho in irreps(name)]
    assert index.bincount().tolist() == rows
    assert (index.diff() >= 0).all()


def test_rows_of_a_representation_are_its_entries_row_by_row() -> None:
    entry = torch.tensor(irreps("S3")[1].matrices)
    expected = torch.stack([entry[:, i, j] for i in (0, 1) for j in (0, 1)]) / math.sqrt(3)
    torch.testing.assert_close(irrep_basis("S3")[0][1:5], expected)


@pytest.mark.parametrize("name", ["C1", "C7", "C8"])
def test_on_a_cyclic_group_the_basis_is_that_of_fourier(name: str) -> None:
    basis, _ = irrep_basis(name)
    torch.testing.assert_close(basis, fourier_basis(len(basis)))


@pytest.mark.parametrize("name", ["S3", "A4", "C3xC5", "D4"])
def test_rows_of_a_representation_are_carried_among_themselves_by_translations(name: str) -> None:
    basis, index = irrep_basis(name)
    is_other = index[:, None] != index
    for translated in (basis[:, table_of(name)[2]], basis[:, table_of(name)[:, 2]]):
        overlap = translated @ basis.T
        torch.testing.assert_close(overlap[is_other], torch.zeros_like(overlap[is_other]))


@pytest.mark.parametrize("name", GROUPS)
def test_characters_are_those_of_the_identity_and_of_the_matrices(name: str) -> None:
    character = irrep_characters(name)
    dimension = torch.tensor([rho.dimension for rho in irreps(name)], dtype=torch.float64)
    torch.testing.assert_close(character[:, 0], dimension)
    expected = np.array([np.einsum("gii -> g", rho.matrices) for rho in irreps(name)])
    torch.testing.assert_close(character, torch.from_numpy(expected))


@pytest.mark.parametrize("name", [*GROUPS, "S5"])
def test_powers_sum_to_the_squared_norm(name: str) -> None:
    embedding = gaussian(3, group(name).order, 4)
    torch.testing.assert_close(power_of(name, embedding).sum(-1), embedding.square().sum((-2, -1)))


@pytest.mark.parametrize("name", ["C7", "C8"])
def test_on_a_cyclic_group_the_power_is_that_of_fourier(name: str) -> None:
    embedding = gaussian(2, group(name).order, 4) + 1
    torch.testing.assert_close(power_of(name, embedding), fourier_power(embedding))


@pytest.mark.parametrize("name", ["S3", "A4", "D5", "C3xC5"])
def test_an_embedding_by_entries_of_a_representation_has_its_power_alone(name: str) -> None:
    for i, rho in enumerate(irreps(name)):
        d = rho.dimension
        columns = torch.tensor(rho.matrices).flatten(1) @ gaussian(d * d, 5)
        expected = torch.zeros(len(irreps(name)), dtype=torch.float64)
        expected[i] = columns.square().sum()
        torch.testing.assert_close(power_of(name, columns), expected)


@pytest.mark.parametrize("name", ["S3", "C8"])
def test_the_power_is_that_of_the_projection_by_characters(name: str) -> None:
    """(d / e n) sum over h of chi(h) f(h^-1 g), Serre, section 2.6."""
    n, table, embedding = group(name).order, table_of(name), gaussian(group(name).order, 4)
    expected = []
    for rho in irreps(name):
        part = torch.zeros_like(embedding)
        for h in range(n):
            chi = rho.dimension / rho.commutant / n * rho.character[h]
            part[table[h]] += chi * embedding  # the row of h·g from that of g
        expected.append(part.square().sum())
    torch.testing.assert_close(power_of(name, embedding), torch.stack(expected))


def test_the_mean_of_a_product_is_over_the_pairs_that_have_it() -> None:
    table, logits = table_of("S3"), gaussian(36, 5)
    pairs = table.flatten()
    expected = torch.stack([logits[pairs == h].mean(dim=0) for h in range(6)])
    torch.testing.assert_close(product_means(logits, table), expected)


@pytest.mark.parametrize("name", ["C7", "C8", "S3", "A4", "C3xC5"])
def test_the_projection_is_that_on_the_entries_of_the_product(name: str) -> None:
    logits = gaussian(group(name).order ** 2, 3)
    rho = torch.tensor(irreps(name)[-1].matrices)
    of_product = einsum(rho, rho, "a i j, b j k -> a b i k")
    entries = rearrange(of_product, "a b i k -> (a b) (i k)")
    expected = entries @ torch.linalg.pinv(entries) @ logits
    torch.testing.assert_close(projection(name, logits, len(irreps(name)) - 1), expected)


@pytest.mark.parametrize("p", [7, 8])
def test_on_a_cyclic_group_the_projection_is_on_the_waves_of_the_sum(p: int) -> None:
    logits = gaussian(p * p, 3)
    a, b = np.divmod(np.arange(p * p), p)
    expected = torch.zeros_like(logits)
    for k in (2, p // 2):
        for wave in (np.cos, np.sin):
            values = torch.tensor(wave(2 * math.pi / p * (k * (a + b) % p)))[:, None]
            size = values.square().sum().clamp(min=1)  # the sine of p / 2 is 0
            expected += values * (values * logits).sum(dim=0) / size
    torch.testing.assert_close(projection(f"C{p}", logits, 2, p // 2), expected)


@pytest.mark.parametrize("name", ["C8", "S3", "A4", "S3xC5"])
def test_projections_are_idempotent_complementary_and_centred(name: str) -> None:
    logits = gaussian(group(name).order ** 2, 3)
    kept = projection(name, logits, 1)
    others = projection(name, logits, *range(2, len(irreps(name))))
    torch.testing.assert_close(projection(name, kept, 1), kept)
    torch.testing.assert_close(projection(name, kept, 2), torch.zeros_like(kept))
    torch.testing.assert_close(projection(name, logits - kept, 1), torch.zeros_like(kept))
    torch.testing.assert_close(kept.mean(dim=0), torch.zeros(3, dtype=torch.float64))
    # all of them, and the constant, are the functions of the product
    of_product = product_means(logits, table_of(name))[table_of(name).flatten()]
    torch.testing.assert_close(kept + others + logits.mean(dim=0), of_product)


def test_the_trivial_representation_is_never_kept() -> None:
    logits = gaussian(36, 6) + 5
    torch.testing.assert_close(projection("S3", logits, 0, 2), projection("S3", logits, 2))
    assert (projection("S3", logits, 0) == 0).all()


def test_each_run_keeps_its_own_representations() -> None:
    logits = gaussian(2, 36, 6)
    is_kept = torch.tensor([[False, True, False], [False, False, True]])
    found = restrict_to_irreps(logits, is_kept, *irrep_basis("S3"), table=table_of("S3"))
    expected = [projection("S3", logits[0], 1), projection("S3", logits[1], 2)]
    torch.testing.assert_close(found, torch.stack(expected))


@pytest.mark.parametrize("name", GROUPS)
def test_a_sum_of_characters_is_recovered_and_explained_entirely(name: str) -> None:
    alpha = gaussian(len(irreps(name)))
    terms = alpha[:, None, None] * cubes(name)
    found = fit(name, terms.sum(dim=0))
    torch.testing.assert_close(found.coefficient, alpha)
    energy = terms.square().sum(dim=(1, 2))
    torch.testing.assert_close(found.energy, energy)
    torch.testing.assert_close(found.raw_share, energy / energy.sum())
    if len(alpha) > 1:
        torch.testing.assert_close(found.share[1:], energy[1:] / energy[1:].sum())
        assert found.share[0] == 0


@pytest.mark.parametrize("name", ["C8", "S3", "A4", "C3xC5"])
def test_coefficients_are_the_least_squares_of_any_logits(name: str) -> None:
    logits, terms = gaussian(group(name).order ** 2, group(name).order), cubes(name)
    expected = torch.linalg.lstsq(terms.flatten(1).T, logits.flatten()[:, None]).solution
    torch.testing.assert_close(fit(name, logits).coefficient, expected[:, 0])


def test_terms_of_the_pair_or_of_the_class_alone_do_not_move_the_coefficients() -> None:
    alpha = torch.tensor([0.0, 2.0, -3.0], dtype=torch.float64)
    logits = einsum(alpha, cubes("S3"), "irrep, irrep pair cls -> pair cls")
    of_pair, of_class = gaussian(36, 1), gaussian(6, seed=1)
    torch.testing.assert_close(fit("S3", logits + of_class).coefficient[1:], alpha[1:])
    moved = fit("S3", logits + 10 * of_pair)
    torch.testing.assert_close(moved.coefficient[1:], alpha[1:])
    torch.testing.assert_close(moved.share.sum(), torch.tensor(1.0, dtype=torch.float64))
    assert moved.raw_share[1:].sum() < 0.5


def angle_on_c7(k: int) -> Tensor:
    """2 pi k (a + b - c) / 7."""
    a = torch.arange(7)
    g = rearrange(a[:, None, None] + a[:, None] - a, "a b c -> (a b) c")
    return 2 * math.pi / 7 * (k * g % 7).double()


def test_on_a_cyclic_group_a_character_is_twice_the_cosine() -> None:
    expected = torch.tensor([0.0, 0.0, 0.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(fit("C7", 4 * angle_on_c7(3).cos()).coefficient, expected)


def test_the_sine_of_a_plane_is_no_character() -> None:
    assert fit("C7", angle_on_c7(1).sin()).share.sum() < 1e-20


def test_the_right_answer_has_every_character_by_its_dimension() -> None:
    """The delta function at the identity is the sum of d chi / (e n)."""
    right = torch.eye(24, dtype=torch.float64)[table_of("S4").flatten()]
    dimension = irrep_characters("S4")[:, 0]
    torch.testing.assert_close(fit("S4", right).coefficient, dimension / 24)
    torch.testing.assert_close(fit("S4", right).raw_share, dimension**2 / 24)


def test_equal_logits_have_no_share() -> None:
    found = fit("S3", repeat(torch.ones(6), "a -> (a b) c", b=6, c=6))
    assert found.share.isnan().all()
    torch.testing.assert_close(found.raw_share, torch.tensor([1.0, 0.0, 0.0]).double())
