"""Finite groups and binary operations as integer tables.

Shapes: ``n`` - elements of a group; ``degree`` - points that its permutations move; ``p`` - modulus
of an operation on Z_p. In every table the row is the left argument a and the column the right
argument b.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Int64

MAX_ORDER = 2_000
"""Most elements that a group or Z_p may have: the table of so many takes 32 MB."""

Operation = Literal[
    "add",
    "sub",
    "mul",
    "div",
    "x2_y2",
    "x2_xy_y2",
    "x3_xy",
    "sum_xor",
    "sum_and",
    "sum_rsh",
    "random",
    "compose",
]

OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        "add": "(a + b) mod p",
        "sub": "(a - b) mod p",
        "mul": "a b mod p",
        "div": "the c with c b = a mod p, for b != 0; p is prime",
        "x2_y2": "(a^2 + b^2) mod p",
        "x2_xy_y2": "(a^2 + a b + b^2) mod p",
        "x3_xy": "(a^3 + a b) mod p",
        "sum_xor": "((a + b) XOR p) mod p, bit by bit",
        "sum_and": "((a + b) AND p) mod p, bit by bit",
        "sum_rsh": "((a + b) >> p) mod p, a shift by p bits",
        "random": "uniform labels below p, fixed by a seed",
        "compose": "product of a named finite group",
    }
)
"""Name of each operation and what it computes."""

_GROUPS_ALLOWED = "C<n>, S3 to S6, A3 to A6, D<n> with n >= 3, and products such as S3xC5"
_FACTOR = re.compile(r"C[1-9][0-9]*|[SA][3-6]|D(?:[3-9]|[1-9][0-9]+)")
_ORDERS: Mapping[str, Callable[[int], int]] = {
    "C": lambda degree: degree,
    "S": math.factorial,
    "A": lambda degree: math.factorial(degree) // 2,
    "D": lambda degree: 2 * degree,
}

_Table = np.ndarray[tuple[int, int], np.dtype[np.int64]]
_FORMULAS: Mapping[str, Callable[[_Table, _Table, int], _Table]] = {
    "add": lambda a, b, p: (a + b) % p,
    "sub": lambda a, b, p: (a - b) % p,
    "mul": lambda a, b, p: a * b % p,
    "div": lambda a, b, p: _quotient(a, b, p),
    "x2_y2": lambda a, b, p: (a**2 + b**2) % p,
    "x2_xy_y2": lambda a, b, p: (a**2 + a * b + b**2) % p,
    "x3_xy": lambda a, b, p: (a**3 + a * b) % p,
    "sum_xor": lambda a, b, p: ((a + b) ^ p) % p,
    "sum_and": lambda a, b, p: ((a + b) & p) % p,
    "sum_rsh": lambda a, b, p: ((a + b) >> min(p, 62)) % p,  # C defines no shift by 64 or more
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """A finite group. ``==`` asks for the same object; compare tables to compare groups."""

    name: str
    """Name that :func:`group` accepts."""
    table: Int64[np.ndarray, "n n"]
    """Entry [a, b] is the index of a·b. The identity has index 0."""
    elements: Int64[np.ndarray, "n degree"] | None
    """Row a is the permutation a in one-line notation: entry x is a(x), points counted from 0. None
    for cyclic groups and products."""

    def __post_init__(self) -> None:
        """Make the arrays read-only: :func:`group` hands the same ones to every caller."""
        for array in (self.table, self.elements):
            if array is not None:
                array.setflags(write=False)

    @property
    def order(self) -> int:
        """Number of elements."""
        return len(self.table)


def group_order(name: str) -> int:
    """Order of a named group, without building it.

    Args:
        name: As for :func:`group`.

    Returns:
        Number of elements, 1 to ``MAX_ORDER``.

    Raises:
        ValueError: If no group has this name, or if it has more than ``MAX_ORDER`` elements.
    """
    factors = name.split("x")
    if not all(_FACTOR.fullmatch(factor) for factor in factors):
        raise ValueError(f"unknown group {name!r}; allowed: {_GROUPS_ALLOWED}")
    order = math.prod(_ORDERS[factor[0]](int(factor[1:])) for factor in factors)
    if order > MAX_ORDER:
        raise ValueError(f"group {name!r} has {order} elements; allowed are at most {MAX_ORDER}")
    return order


@cache
def group(name: str) -> Group:
    """A finite group by name.

    ========  ==========================  ========================================================
    name      order                       elements
    ========  ==========================  ========================================================
    ``C<n>``  n >= 1                      residues mod n, in order; a·b = (a + b) mod n
    ``S<n>``  n!, n = 3 to 6              all permutations of n points
    ``A<n>``  n! / 2, n = 3 to 6          even permutations of n points
    ``D<n>``  2 n, n >= 3                 rotations x -> k + x, reflections x -> k - x of an n-gon
    ``GxH``   order of G times that of H  pairs (g, h) at index g |H| + h; any number of factors
    ========  ==========================  ========================================================

    Permutations are in one-line notation and in lexicographic order. The product a·b is
    "first b, then a": (a·b)(x) = a(b(x)).

    Args:
        name: One of the names in the table, such as ``S5``, ``D4`` or ``S3xC5``.

    Returns:
        The group; the same object at every call.

    Raises:
        ValueError: If no group has this name, or if it has more than ``MAX_ORDER`` elements.
    """
    group_order(name)
    first, *others = (_factor(factor) for factor in name.split("x"))
    if not others:
        return first
    table = first.table
    for other in others:
        in_first = np.kron(table * other.order, np.ones_like(other.table))
        table = in_first + np.kron(np.ones_like(table), other.table)
    return Group(name=name, table=table, elements=None)


def is_prime(number: int) -> bool:
    """Whether a number is prime; False below 2."""
    return number > 1 and all(number % q != 0 for q in range(2, math.isqrt(number) + 1))


def check_modulus(operation: str, p: int) -> None:
    """Refuse a modulus that an operation on Z_p cannot have.

    Args:
        operation: A key of ``OPERATIONS``.
        p: Modulus.

    Raises:
        ValueError: If p is not between 2 and ``MAX_ORDER``, or if the operation is division and p
            is composite, so that some b != 0 have no inverse. The message begins with ``p=``.
    """
    if not 2 <= p <= MAX_ORDER:
        raise ValueError(f"p={p}: allowed are 2 to {MAX_ORDER}")
    if operation == "div" and not is_prime(p):
        primes = [q for q in range(2, MAX_ORDER + 1) if is_prime(q)]
        nearest = [q for q in primes if q < p][-1:] + [q for q in primes if q > p][:1]
        allowed = " and ".join(map(str, nearest))
        raise ValueError(f"p={p}: operation 'div' needs a prime p, such as {allowed}")


def operation_table(operation: str, p: int, seed: int = 0) -> Int64[np.ndarray, "p p"]:
    """Table of a binary operation on Z_p.

    Args:
        operation: A key of ``OPERATIONS`` other than ``compose``, whose table is
            ``group(name).table``.
        p: Modulus, 2 to ``MAX_ORDER``; prime for ``div``.
        seed: Fixes the labels of ``random``: one draw of numpy's default generator. Other
            operations ignore it.

    Returns:
        Entry [a, b] is the label of the pair, 0 to p - 1, or -1 where the operation is undefined
        (``div`` by 0).

    Raises:
        ValueError: If the operation is unknown or is ``compose``, or if it cannot have this modulus
            (:func:`check_modulus`).

    Reference:
        Singh, Misra and Orvieto, `Explaining Grokking in Transformers through the Lens of Inductive
        Bias <https://arxiv.org/abs/2602.06702>`_, released code, for ``sum_xor``, ``sum_and`` and
        ``sum_rsh``. Departure: there the labels of ``sum_xor`` and ``sum_and`` reach p and more;
        here they are reduced mod p. ``sum_rsh`` is 0 for every p >= 2, as 2 p - 2 < 2 ** p.
    """
    if operation not in OPERATIONS:
        raise ValueError(f"unknown operation {operation!r}; allowed: {', '.join(OPERATIONS)}")
    if operation == "compose":
        raise ValueError("operation 'compose' has no table on Z_p; use that of a named group")
    check_modulus(operation, p)
    if operation == "random":
        return np.random.default_rng(seed).integers(p, size=(p, p), dtype=np.int64)
    a, b = np.indices((p, p), dtype=np.int64)
    return _FORMULAS[operation](a, b, p)


def _quotient(a: _Table, b: _Table, p: int) -> _Table:
    inverse = np.array([0, *(pow(x, -1, p) for x in range(1, p))])
    return np.where(b == 0, -1, a * inverse[b] % p)


def _factor(name: str) -> Group:
    family, n = name[0], int(name[1:])
    if family == "C":
        return Group(name=name, table=np.add.outer(range(n), range(n)) % n, elements=None)
    if family == "D":
        corner = np.arange(n)
        images = [(k + sign * corner) % n for k in corner for sign in (1, -1)]
        return _permutation_group(name, np.unique(images, axis=0), n_base=2)  # `unique` sorts
    elements = np.array(list(permutations(range(n))))
    if family == "A":
        before, after = np.triu_indices(n, k=1)
        n_inversions = (elements[:, before] > elements[:, after]).sum(axis=1)
        elements = elements[n_inversions % 2 == 0]
    return _permutation_group(name, elements, n_base=n - 1)


def _permutation_group(name: str, elements: _Table, n_base: int) -> Group:
    """Group of permutations in lexicographic order, each fixed by its first ``n_base`` images."""
    place = elements.shape[1] ** np.arange(n_base)[::-1]
    key = elements[:, :n_base] @ place
    product = elements[:, elements[:, :n_base]]  # entry [a, b, x] is a(b(x))
    table = np.searchsorted(key, product @ place).astype(np.int64)
    return Group(name=name, table=table, elements=elements)
