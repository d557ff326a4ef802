"""Groups are groups, under a stated order of composition."""

import re
import subprocess
import sys

import numpy as np
import pytest
from einops import rearrange
from hypothesis import given
from hypothesis import strategies as st
from sympy.combinatorics import Permutation, PermutationGroup
from sympy.combinatorics.named_groups import AlternatingGroup, DihedralGroup, SymmetricGroup

from grok.groups import group, group_order, operation_table

ORDERS = {
    "C1": 1,
    "C7": 7,
    "S3": 6,
    "S4": 24,
    "S5": 120,
    "S6": 720,
    "A3": 3,
    "A4": 12,
    "A5": 60,
    "A6": 360,
    "D3": 6,
    "D4": 8,
    "D11": 22,
    "C7xC3": 21,
    "S3xC5": 30,
    "A4xC2xD3": 144,
}
SMALL = [name for name, order in ORDERS.items() if order <= 150]


def index_of(name: str, *permutation: int) -> int:
    elements = group(name).elements
    assert elements is not None
    return elements.tolist().index(list(permutation))


@pytest.mark.parametrize(("name", "order"), ORDERS.items())
def test_orders_are_the_known_ones(name: str, order: int) -> None:
    assert group_order(name) == group(name).order == order
    assert group(name).table.shape == (order, order)
    assert group(name).name == name


@pytest.mark.parametrize("name", ORDERS)
def test_every_row_and_column_has_every_element_once(name: str) -> None:
    table, order = group(name).table, group(name).order
    everything = np.broadcast_to(np.arange(order), (order, order))
    np.testing.assert_array_equal(np.sort(table, axis=1), everything)
    np.testing.assert_array_equal(np.sort(table, axis=0), everything.T)


@pytest.mark.parametrize("name", ORDERS)
def test_element_0_is_the_identity_and_inverses_are_two_sided(name: str) -> None:
    table = group(name).table
    np.testing.assert_array_equal(table[0], np.arange(len(table)))
    np.testing.assert_array_equal(table[:, 0], np.arange(len(table)))
    np.testing.assert_array_equal(table == 0, (table == 0).T)
    assert ((table == 0).sum(axis=1) == 1).all()


@pytest.mark.parametrize("name", SMALL)
def test_products_of_all_triples_are_associative(name: str) -> None:
    table = group(name).table
    np.testing.assert_array_equal(table[table], table[:, table])


@pytest.mark.parametrize("name", ["S6", "A6", "D500", "S5xC7"])
@given(data=st.data())
def test_products_of_triples_of_large_groups_are_associative(
    name: str, data: st.DataObject
) -> None:
    table = group(name).table
    a, b, c = data.draw(st.tuples(*[st.integers(0, len(table) - 1)] * 3))
    assert table[table[a, b], c] == table[a, table[b, c]]


def test_the_right_factor_of_a_product_acts_first() -> None:
    swap_01, cycle = index_of("S3", 1, 0, 2), index_of("S3", 1, 2, 0)
    # Point 0: the cycle sends it to 1, the swap sends 1 to 0. The other way round it ends at 2.
    assert group("S3").table[swap_01, cycle] == index_of("S3", 0, 2, 1)
    assert group("S3").table[cycle, swap_01] == index_of("S3", 2, 1, 0)


@pytest.mark.parametrize("name", ["S3", "S6", "A3", "A6", "D3", "D8"])
def test_permutations_are_in_lexicographic_order(name: str) -> None:
    elements = group(name).elements
    assert elements is not None
    assert elements.tolist() == sorted(elements.tolist())


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("S3", SymmetricGroup(3)),
        ("S4", SymmetricGroup(4)),
        ("A4", AlternatingGroup(4)),
        ("A5", AlternatingGroup(5)),
        ("D3", DihedralGroup(3)),
        ("D4", DihedralGroup(4)),
        ("D9", DihedralGroup(9)),
    ],
)
def test_permutation_groups_are_those_of_sympy(name: str, theirs: PermutationGroup) -> None:
    ours = group(name)
    assert ours.elements is not None
    elements = [Permutation(row) for row in ours.elements.tolist()]
    assert set(elements) == set(theirs.elements)
    step = max(1, ours.order // 12)  # every pair of a small group, 12 by 12 or so of a large one
    for a in range(0, ours.order, step):
        for b in range(0, ours.order, step):
            # Sympy's product applies its left factor first.
            assert elements[ours.table[a, b]] == elements[b] * elements[a]


def test_the_dihedral_group_of_the_triangle_is_all_permutations_of_it() -> None:
    np.testing.assert_array_equal(group("D3").table, group("S3").table)


def test_cyclic_groups_add_modulo_their_order() -> None:
    np.testing.assert_array_equal(group("C7").table, operation_table("add", 7))


def test_direct_products_multiply_factor_by_factor() -> None:
    product, left, right = group("A4xC5"), group("A4").table, group("C5").table
    for a in range(product.order):
        for b in range(product.order):
            (g, h), (k, m) = divmod(a, 5), divmod(b, 5)
            assert product.table[a, b] == 5 * left[g, k] + right[h, m]


def test_products_may_be_grouped_at_will() -> None:
    in_two = np.add.outer(6 * group("C2xC4").table, group("S3").table)
    expected = rearrange(in_two, "g k h m -> (g h) (k m)")
    np.testing.assert_array_equal(group("C2xC4xS3").table, expected)


def test_a_group_is_built_once_and_cannot_be_written_to() -> None:
    assert group("S3") is group("S3")
    with pytest.raises(ValueError, match="read-only"):
        group("S3").table[0, 0] = 1
    elements = group("S3").elements
    assert elements is not None
    with pytest.raises(ValueError, match="read-only"):
        elements[0, 0] = 1


@pytest.mark.parametrize(
    "name", ["S9", "S2", "A7", "D2", "D1", "C0", "C07", "C", "", "s5", "S3x", "S3*C5", "S3 x C5"]
)
def test_an_unknown_group_is_refused_by_naming_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"unknown group {name!r}; allowed: C<n>, S3")):
        group(name)


@pytest.mark.parametrize("name", ["C2001", "D1001", "S6xC3", "S6xS6"])
def test_a_group_of_more_than_2000_elements_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="elements; allowed are at most 2000"):
        group(name)


@pytest.mark.slow
def test_groups_and_the_data_schema_load_no_torch() -> None:
    program = "import sys, grok.data.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
