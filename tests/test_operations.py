"""Operations on Z_p are what they are called."""

import math
from typing import get_args

import numpy as np
import pytest

from grok.groups import (
    MAX_ORDER,
    OPERATIONS,
    Operation,
    check_modulus,
    is_prime,
    operation_table,
)

PRIMES = [2, 3, 5, 7, 11, 13, 97, 113]


@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - {"compose", "random", "div"}))
@pytest.mark.parametrize("p", [2, 5, 12, 113])
def test_operations_match_their_formula_in_unbounded_integers(operation: str, p: int) -> None:
    formula = {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "x2_y2": lambda a, b: a * a + b * b,
        "x2_xy_y2": lambda a, b: a * a + a * b + b * b,
        "x3_xy": lambda a, b: a * a * a + a * b,
        "sum_xor": lambda a, b: (a + b) ^ p,
        "sum_and": lambda a, b: (a + b) & p,
        "sum_rsh": lambda a, b: (a + b) >> p,
    }[operation]
    expected = [[formula(a, b) % p for b in range(p)] for a in range(p)]
    np.testing.assert_array_equal(operation_table(operation, p), expected)


@pytest.mark.parametrize("p", PRIMES)
def test_a_quotient_times_its_divisor_is_the_dividend(p: int) -> None:
    quotient, product = operation_table("div", p), operation_table("mul", p)
    a, b = np.indices((p, p))
    is_defined = quotient >= 0
    np.testing.assert_array_equal(is_defined, b != 0)
    np.testing.assert_array_equal(quotient[~is_defined], -1)
    np.testing.assert_array_equal(product[quotient, b][is_defined], a[is_defined])


@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - {"compose"}))
@pytest.mark.parametrize("p", [2, 7, 113])
def test_labels_are_residues(operation: str, p: int) -> None:
    table = operation_table(operation, p)
    assert table.shape == (p, p)
    assert table.dtype == np.int64
    assert table.min() >= (-1 if operation == "div" else 0)
    assert table.max() < p


@pytest.mark.parametrize("p", [2, 3, 64, 113])
def test_the_shifted_sum_is_zero_for_every_modulus(p: int) -> None:
    np.testing.assert_array_equal(operation_table("sum_rsh", p), 0)


def test_a_random_table_is_fixed_by_its_seed_and_uses_every_label() -> None:
    table = operation_table("random", 13, seed=3)
    np.testing.assert_array_equal(table, operation_table("random", 13, seed=3))
    assert (table != operation_table("random", 13, seed=4)).any()
    assert set(table.flat) == set(range(13))  # 169 draws miss a label with probability 2e-5


def test_the_random_table_of_a_seed_stays_what_it_was() -> None:
    # A run is named by its config: another table under the same seed would be another run.
    np.testing.assert_array_equal(operation_table("random", 5, seed=0)[0], [4, 3, 2, 1, 1])


def test_only_the_random_table_depends_on_the_seed() -> None:
    for operation in set(OPERATIONS) - {"compose", "random"}:
        np.testing.assert_array_equal(
            operation_table(operation, 7, seed=1), operation_table(operation, 7)
        )


@pytest.mark.parametrize(
    ("p", "nearest"), [(4, "3 and 5"), (96, "89 and 97"), (114, "113 and 127"), (2000, "1999$")]
)
def test_division_by_a_composite_modulus_names_the_nearest_primes(p: int, nearest: str) -> None:
    with pytest.raises(ValueError, match=f"p={p}: .*'div' needs a prime p, such as {nearest}"):
        operation_table("div", p)
    check_modulus("sub", p)


@pytest.mark.parametrize("p", [-1, 0, 1, MAX_ORDER + 1])
def test_a_modulus_out_of_range_is_refused(p: int) -> None:
    with pytest.raises(ValueError, match=f"p={p}: allowed are 2 to 2000"):
        operation_table("add", p)


def test_an_unknown_operation_is_refused_by_naming_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown operation 'plus'; allowed: add, sub, mul, div"):
        operation_table("plus", 7)
    with pytest.raises(ValueError, match="use that of a named group"):
        operation_table("compose", 7)


def test_every_operation_of_the_type_has_a_meaning() -> None:
    assert get_args(Operation) == tuple(OPERATIONS)


def test_primes_below_2000_are_those_of_the_sieve() -> None:
    sieve = set(range(2, 2000))
    for q in range(2, math.isqrt(2000) + 1):
        sieve -= set(range(2 * q, 2000, q))
    assert {number for number in range(-3, 2000) if is_prime(number)} == sieve
