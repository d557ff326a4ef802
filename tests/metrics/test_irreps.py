"""Representations are homomorphisms, irreducible over R, different, and all there are."""

import itertools
import re

import numpy as np
import pytest
import torch
from einops import einsum, rearrange

from grok.groups import group
from grok.metrics.fourier import fourier_basis
from grok.metrics.irreps import Irrep, irreps

N_IRREPS = {
    "C1": 1,
    "C7": 4,
    "C8": 5,
    "S3": 3,
    "S4": 5,
    "S5": 7,
    "A3": 2,
    "A4": 3,
    "A5": 5,
    "D3": 3,
    "D4": 5,
    "D5": 4,
    "S3xC5": 9,
    "C3xC5": 8,
    "C3xA4": 7,
}
LARGE = {"S6": 11, "A6": 7, "C3xC5xA4": 31}
each_group = pytest.mark.parametrize("name", N_IRREPS | LARGE)
golden = (1 + np.sqrt(5)) / 2


def irrep(name: str, of: str) -> Irrep:
    (found,) = (each for each in irreps(name) if each.name == of)
    return found


def index_of(name: str, *permutation: int) -> int:
    elements = group(name).elements
    assert elements is not None
    return elements.tolist().index(list(permutation))


@pytest.mark.parametrize("name", N_IRREPS)
def test_the_matrix_of_a_product_is_the_product_of_the_matrices(name: str) -> None:
    for rho in irreps(name):
        product = einsum(rho.matrices, rho.matrices, "a i j, b j k -> a b i k")
        np.testing.assert_allclose(product, rho.matrices[group(name).table], atol=1e-14)


@pytest.mark.parametrize("name", LARGE)
def test_the_matrix_of_a_product_is_the_product_in_large_groups(name: str) -> None:
    a, b = np.random.default_rng(0).integers(group(name).order, size=(2, 200))
    for rho in irreps(name):
        product = rho.matrices[a] @ rho.matrices[b]
        np.testing.assert_allclose(product, rho.matrices[group(name).table[a, b]], atol=1e-14)


@each_group
def test_matrices_are_orthogonal(name: str) -> None:
    for rho in irreps(name):
        product = rho.matrices @ rho.matrices.swapaxes(1, 2)
        identity = np.broadcast_to(np.eye(rho.dimension), product.shape)
        np.testing.assert_allclose(product, identity, atol=1e-14)


@each_group
def test_characters_are_orthogonal_and_irreducible_with_the_stated_commutant(name: str) -> None:
    character = np.array([rho.character for rho in irreps(name)])
    commutant = np.array([rho.commutant for rho in irreps(name)])
    gram = character @ character.T / group(name).order
    np.testing.assert_allclose(gram, np.diag(commutant), atol=1e-14)


@each_group
def test_the_type_is_that_of_frobenius_and_schur(name: str) -> None:
    """The mean of chi(g g) is 1 for real and 0 for complex type, -2 for quaternionic type."""
    square = group(name).table.diagonal()
    indicator = [rho.character[square].mean() for rho in irreps(name)]
    expected = [float(rho.commutant == 1) for rho in irreps(name)]
    np.testing.assert_allclose(indicator, expected, atol=1e-14)


@each_group
def test_squared_dimensions_over_the_commutant_sum_to_the_order(name: str) -> None:
    assert sum(rho.dimension**2 // rho.commutant for rho in irreps(name)) == group(name).order


@pytest.mark.parametrize(("name", "n_irreps"), (N_IRREPS | LARGE).items())
def test_there_are_as_many_as_classes_of_elements_and_their_inverses(
    name: str, n_irreps: int
) -> None:
    table = group(name).table
    inverse = table.argmin(axis=1)  # where the row has the identity, 0
    conjugate = table[table, inverse[:, None]]  # entry [g, x] is g·x·g^-1
    smallest = np.minimum(conjugate.min(axis=0), conjugate.min(axis=0)[inverse])
    assert len(irreps(name)) == len(np.unique(smallest)) == n_irreps


@pytest.mark.parametrize("name", N_IRREPS)
def test_entries_obey_schur(name: str) -> None:
    n = group(name).order
    for first, second in itertools.combinations_with_replacement(irreps(name), 2):
        found = einsum(first.matrices, second.matrices, "n i j, n k l -> i j k l")
        expected = np.zeros_like(found)
        if first is second:
            # For complex type the matrices commute with J, and entries occur twice.
            J = np.kron(np.eye(first.dimension // 2), [[0.0, -1.0], [1.0, 0.0]])
            commuting = [np.eye(first.dimension), J][: first.commutant]
            expected = sum(einsum(c, c, "i k, j l -> i j k l") for c in commuting)
            expected = n / first.dimension * expected
        np.testing.assert_allclose(found, expected, atol=1e-12)


@each_group
def test_the_first_is_trivial_and_names_differ(name: str) -> None:
    assert (irreps(name)[0].matrices == 1).all()
    assert len({rho.name for rho in irreps(name)}) == len(irreps(name))


@each_group
def test_names_fit_into_log_keys_lists_and_file_names(name: str) -> None:
    assert all(re.fullmatch(r"[a-z0-9.+-]+", rho.name) for rho in irreps(name))


@pytest.mark.parametrize("name", ["C7", "C8"])
def test_cyclic_groups_have_the_waves_of_fourier_in_the_first_column(name: str) -> None:
    n = group(name).order
    assert [rho.name for rho in irreps(name)] == [str(k) for k in range(n // 2 + 1)]
    waves = [rearrange(rho.matrices[:, :, 0], "n row -> row n") for rho in irreps(name)]
    rows = [wave * np.sqrt(len(wave) / n) for wave in waves]
    torch.testing.assert_close(torch.from_numpy(np.concatenate(rows)), fourier_basis(n))


@pytest.mark.parametrize(
    ("of", "characters"),
    {
        # classes of cycle type 1, 2, 2+2, 3, 3+2, 4, 5
        "5": [1, 1, 1, 1, 1, 1, 1],
        "4.1": [4, 2, 0, 1, -1, 0, -1],
        "3.2": [5, 1, 1, -1, 1, -1, 0],
        "3.1.1": [6, 0, -2, 0, 0, 0, 1],
        "2.2.1": [5, -1, 1, -1, -1, 1, 0],
        "2.1.1.1": [4, -2, 0, 1, 1, 0, -1],
        "1.1.1.1.1": [1, -1, 1, 1, -1, -1, 1],
    }.items(),
)
def test_s5_has_its_character_table(of: str, characters: list[int]) -> None:
    """Fulton and Harris, section 3.1."""
    classes = ["01234", "10234", "10324", "12034", "12043", "12304", "12340"]
    found = irrep("S5", of).character[[index_of("S5", *map(int, each)) for each in classes]]
    np.testing.assert_allclose(found, characters, atol=1e-14)


@pytest.mark.parametrize(
    ("of", "characters"),
    {
        # cycle type 1, 3, 2+2, then the two classes of 5-cycles
        "5": [1, 1, 1, 1, 1],
        "4.1": [4, 1, 0, -1, -1],
        "3.2": [5, -1, 1, 0, 0],
        "3.1.1+": [3, 0, -1, golden, 1 - golden],
        "3.1.1-": [3, 0, -1, 1 - golden, golden],
    }.items(),
)
def test_a5_has_its_character_table(of: str, characters: list[float]) -> None:
    """Fulton and Harris, section 3.1."""
    classes = ["01234", "12034", "10324", "12340", "23401"]  # the last is the square of the fourth
    found = irrep("A5", of).character[[index_of("A5", *map(int, each)) for each in classes]]
    np.testing.assert_allclose(found, characters, atol=1e-14)


def test_of_a_pair_plus_has_the_larger_character_on_the_first_5_cycle() -> None:
    first = index_of("A6", 0, 2, 3, 4, 5, 1)
    plus, minus = irrep("A6", "3.2.1+").character, irrep("A6", "3.2.1-").character
    assert np.flatnonzero(abs(plus - minus) > 1e-9)[0] == first
    np.testing.assert_allclose([plus[first], minus[first]], [golden, 1 - golden])


def test_a_pair_is_what_its_partition_is_on_even_permutations() -> None:
    elements = group("A6").elements
    assert elements is not None
    even = [index_of("S6", *element) for element in elements.tolist()]
    pair = irrep("A6", "3.2.1+").character + irrep("A6", "3.2.1-").character
    np.testing.assert_allclose(pair, irrep("S6", "3.2.1").character[even], atol=1e-13)


def test_the_partition_less_one_moves_points_as_permutations_do() -> None:
    elements = group("S6").elements
    assert elements is not None
    n_fixed = (elements == np.arange(6)).sum(axis=1)
    np.testing.assert_allclose(irrep("S6", "5.1").character, n_fixed - 1, atol=1e-13)


def test_youngs_form_has_the_axial_distances_of_the_tableaux() -> None:
    """In the tableaux of (2,1) the last two entries have contents 1 and -1, or -1 and 1."""
    last_exchange = irrep("S3", "2.1").matrices[index_of("S3", 0, 2, 1)]
    np.testing.assert_allclose(np.sort(last_exchange.diagonal()), [-0.5, 0.5])
    np.testing.assert_allclose(abs(last_exchange[0, 1]), np.sqrt(0.75))


def test_dihedral_groups_have_four_lines_for_even_n_and_two_for_odd_n() -> None:
    assert [rho.name for rho in irreps("D5")] == ["trivial", "sign", "1", "2"]
    lines = ["trivial", "sign", "alternating", "alternating-sign"]
    assert [rho.name for rho in irreps("D4")] == [*lines, "1"]
    # the rotation by one corner, and reflections x -> -x through corners, x -> 1 - x through none
    elements = [index_of("D4", *each) for each in [(1, 2, 3, 0), (0, 3, 2, 1), (1, 0, 3, 2)]]
    found = np.array([irrep("D4", name).character[elements] for name in lines])
    np.testing.assert_array_equal(found, [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])


def test_the_plane_of_a_dihedral_group_moves_the_corners_of_the_polygon() -> None:
    elements = group("D5").elements
    assert elements is not None
    angle = 2 * np.pi * np.arange(5) / 5
    corner = np.stack([np.cos(angle), np.sin(angle)])  # x, corner
    moved = irrep("D5", "1").matrices @ corner
    np.testing.assert_allclose(moved, rearrange(corner[:, elements], "x g c -> g x c"), atol=1e-14)


def test_two_planes_make_the_planes_of_the_sum_and_of_the_difference() -> None:
    g, h = np.divmod(np.arange(15), 5)
    for name, sign in {"1x2": 1, "1x-2": -1}.items():
        angle = 2 * np.pi * (g / 3 + sign * 2 * h / 5)
        found = irrep("C3xC5", name)
        assert (found.dimension, found.commutant) == (2, 2)
        np.testing.assert_allclose(found.matrices[:, 0, 0], np.cos(angle), atol=1e-14)
        np.testing.assert_allclose(found.matrices[:, 1, 0], np.sin(angle), atol=1e-14)


def test_a_plane_and_a_representation_of_real_type_make_one_of_complex_type() -> None:
    found = irrep("S3xC5", "2.1x1")
    assert (found.dimension, found.commutant) == (4, 2)
    expected = np.multiply.outer(irrep("S3", "2.1").character, irrep("C5", "1").character)
    np.testing.assert_allclose(found.character, rearrange(expected, "g h -> (g h)"), atol=1e-14)


def test_representations_are_built_once_and_cannot_be_changed() -> None:
    assert irreps("S3") is irreps("S3")
    with pytest.raises(ValueError, match="read-only"):
        irreps("S3")[1].matrices[0] = 2


@pytest.mark.parametrize("name", ["S7", "Q8", "C2001", ""])
def test_groups_without_a_table_have_no_representations(name: str) -> None:
    with pytest.raises(ValueError, match="allowed"):
        irreps(name)
