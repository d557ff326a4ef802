r"""Irreducible representations of the named groups over the real numbers, as orthogonal matrices.

Shapes: ``n`` - elements, in the order of :func:`grok.groups.group`; ``d`` - dimension.

A product a·b is "first b, then a", and :math:`\rho(a \cdot b) = \rho(a)\rho(b)`. Over R, matrices
that commute with a representation are an algebra of dimension e. *Real* type, e = 1: irreducible
over C too. *Complex* type, e = 2: over C it splits in :math:`U` and :math:`\bar U` of half the
dimension, as a rotation does in :math:`e^{\pm i\theta}`. The third type, quaternionic, occurs in
none of these groups. In the bases used here, for each entry i, j,

.. math:: \sum_g \rho_{ij}(g)^2 = n/d_\rho, \qquad \sum_g \chi_\rho(g)^2 = n e_\rho, \qquad
    \sum_\rho d_\rho^2/e_\rho = n.
"""

import math
from dataclasses import dataclass
from functools import cache, reduce
from itertools import product

import numpy as np
from einops import rearrange
from jaxtyping import Complex128, Float64, Int64

from grok.groups import group

_Real = Float64[np.ndarray, "_ _ _"]  # element, row, column; of no common size in a dictionary
# Irreducible over C: real numbers for real type, complex ones for complex type.
_Unitary = _Real | Complex128[np.ndarray, "_ _ _"]
_Named = dict[str, _Unitary]
_Shape = tuple[int, ...]  # a partition: lengths of the rows of a Young diagram, descending


@dataclass(frozen=True, kw_only=True, eq=False)
class Irrep:
    """An irreducible representation of a group over the real numbers."""

    name: str
    """As listed by :func:`irreps`."""
    matrices: Float64[np.ndarray, "n d d"]
    """Orthogonal matrix of each element. For complex type it consists of 2 x 2 blocks
    [[x, -y], [y, x]] that stand for the complex numbers x + i y."""
    commutant: int
    """Dimension e of the commuting algebra: 1 for real type, 2 for complex type."""

    def __post_init__(self) -> None:
        """Make the matrices read-only: :func:`irreps` hands the same ones to every caller."""
        self.matrices.setflags(write=False)

    @property
    def dimension(self) -> int:
        """Real dimension d."""
        return self.matrices.shape[-1]

    @property
    def character(self) -> Float64[np.ndarray, " n"]:
        r"""Trace of each matrix; for complex type it is :math:`2\,\mathrm{Re}\,\mathrm{tr}\,U`."""
        return self.matrices.trace(axis1=1, axis2=2)


@cache
def irreps(name: str) -> tuple[Irrep, ...]:
    r"""All irreducible representations of a group over R, the trivial one first.

    ========  =====================================================================================
    group     names, in order
    ========  =====================================================================================
    ``C<n>``  frequencies from ``0`` to that of n // 2: rotation of the plane by 2 pi k g / n, of
              complex type, or for k = 0 and k = n / 2 the one number 1 or (-1)^g
    ``D<n>``  ``trivial``; ``sign``, -1 for reflections; for even n ``alternating``, (-1)^k for
              x -> k + x and x -> k - x, and their product ``alternating-sign``; then ``j`` for
              0 < j < n / 2, rotation by 2 pi j k / n, in x -> k - x after diag(1, -1)
    ``S<n>``  partitions in descending order, from ``4`` by way of ``2.2`` to the sign ``1.1.1.1``:
              Young's orthogonal form
    ``A<n>``  the larger of each two conjugate partitions; a self-conjugate one is of complex type
              for n = 3, 4 and splits in two for n = 5, 6, as ``3.1.1+`` and ``3.1.1-``
    ``GxH``   tensor products such as ``2.1x1``. Two of complex type give two, ``1x2`` for
              :math:`U \otimes V` and ``1x-2`` for :math:`U \otimes \bar V`: for ``C5xC7`` the
              planes of angles 2 pi (g/5 ± 2 h/7)
    ========  =====================================================================================

    The characters of + and - differ on 5-cycles alone: on the first of these in the order of the
    group that of + is :math:`(1 + \sqrt 5)/2` and that of - is :math:`(1 - \sqrt 5)/2`.

    Args:
        name: As for :func:`grok.groups.group`.

    Returns:
        The representations; the same objects at every call. They hold at most 2 n^2 numbers.

    Raises:
        ValueError: If no group has this name, or if it has too many elements.

    Reference:
        Serre, `Linear Representations of Finite Groups`, section 13.2, for the types; James and
        Kerber, `The Representation Theory of the Symmetric Group`, chapter 3, for Young's form;
        Fulton and Harris, `Representation Theory`, section 5.1, for A_n.
    """
    group(name)
    first, *others = (_factor(factor) for factor in name.split("x"))
    unitary = reduce(_tensor_products, others, first)
    return tuple(
        Irrep(name=of, matrices=_real_form(U), commutant=2 if np.iscomplexobj(U) else 1)
        for of, U in unitary.items()
    )


def _real_form(U: _Unitary) -> _Real:
    """The matrices themselves, or for complex ones blocks [[x, -y], [y, x]]."""
    if not np.iscomplexobj(U):
        return U
    blocks = np.array([[U.real, -U.imag], [U.imag, U.real]])
    return rearrange(blocks, "row column n i j -> n (i row) (j column)")


def _tensor_products(first: _Named, second: _Named) -> _Named:
    products: _Named = {}
    for (of_first, U), (of_second, V) in product(first.items(), second.items()):
        products[f"{of_first}x{of_second}"] = _outer(U, V)
        if np.iscomplexobj(U) and np.iscomplexobj(V):
            products[f"{of_first}x-{of_second}"] = _outer(U, V.conj())
    return products


def _outer(U: _Unitary, V: _Unitary) -> _Unitary:
    return rearrange(np.multiply.outer(U, V), "g i j h k l -> (g h) (i k) (j l)")


def _factor(name: str) -> _Named:
    family, n = name[0], int(name[1:])
    if family == "C":
        return {str(k): _cyclic(n, k) for k in range(n // 2 + 1)}
    if family == "S":
        return {_name(shape): matrices for shape, matrices in _symmetric(n).items()}
    return _dihedral(n) if family == "D" else _alternating(n)


def _cyclic(n: int, k: int) -> _Unitary:
    # Reduced as integers, so that a large angle loses no digits.
    wave = np.exp(2j * math.pi / n * (k * np.arange(n) % n))[:, None, None]
    return wave.real.round() if 2 * k % n == 0 else wave


def _dihedral(n: int) -> _Named:
    elements = group(f"D{n}").elements
    assert elements is not None
    k = elements[:, 0]
    sign = np.where(elements[:, 1] == (k + 1) % n, 1.0, -1.0)
    alternating = 1.0 - 2.0 * (k % 2)
    lines = {"trivial": np.ones(2 * n), "sign": sign}
    if n % 2 == 0:
        lines |= {"alternating": alternating, "alternating-sign": alternating * sign}
    found: _Named = {name: line[:, None, None] for name, line in lines.items()}
    for j in range(1, (n + 1) // 2):
        rotation = _real_form(_cyclic(n, j))[k]
        found[str(j)] = np.stack([rotation[:, :, 0], sign[:, None] * rotation[:, :, 1]], axis=-1)
    return found


def _symmetric(n: int) -> dict[_Shape, _Real]:
    elements = group(f"S{n}").elements
    assert elements is not None
    # If g(i) > g(i + 1), g = h·s, where s exchanges i and i + 1 and h has one inversion less.
    descent = (elements[:, :-1] > elements[:, 1:]).argmax(axis=1)
    index_of_s = np.array([math.factorial(n - 1 - i) for i in range(n - 1)])
    shorter = group(f"S{n}").table[np.arange(len(elements)), index_of_s[descent]]
    n_inversions, found = _n_inversions(elements), {}
    for shape in _partitions(n, n):
        generators = _young_orthogonal_form(shape)
        matrices = np.tile(np.eye(generators.shape[1]), (len(elements), 1, 1))
        for length in range(1, n_inversions.max() + 1):
            g = np.flatnonzero(n_inversions == length)
            matrices[g] = matrices[shorter[g]] @ generators[descent[g]]
        found[shape] = matrices
    return found


def _alternating(n: int) -> _Named:
    symmetric = _symmetric(n)
    is_even = symmetric[(1,) * n][:, 0, 0] > 0
    found: _Named = {}
    for shape, matrices in symmetric.items():
        conjugate = tuple(sum(row > column for row in shape) for column in range(shape[0]))
        if shape > conjugate:
            found[_name(shape)] = matrices[is_even]
        elif shape == conjugate:
            found |= _split(shape, matrices[is_even])
    return found


def _split(shape: _Shape, matrices: _Real) -> _Named:
    """What a self-conjugate partition is on A_n: two of real type or one of complex type.

    The associator S sends a tableau to its transpose, times its parity. It commutes with even
    permutations and anticommutes with odd ones: if S S = 1, its eigenspaces are irreducible; if
    S S = -1, it is the complex structure.
    """
    content = _contents(shape)
    parity = 1.0 - 2.0 * (_n_inversions(content) % 2)
    transpose = (-content[:, None] == content).all(axis=-1).argmax(axis=1)
    half = np.flatnonzero(np.arange(len(content)) < transpose)  # one of each two tableaux
    e = np.eye(len(content))[:, half]
    Se = np.eye(len(content))[:, transpose[half]] * parity[half]
    if (parity[half] != parity[transpose[half]]).all():  # S S = -1
        return {_name(shape): e.T @ matrices @ e + 1j * (Se.T @ matrices @ e)}
    pair = [Q.T @ matrices @ Q / 2 for Q in (e + Se, e - Se)]
    pair.sort(key=lambda rho: rho.trace(axis1=1, axis2=2).round(6).tolist(), reverse=True)
    return {f"{_name(shape)}{sign}": rho for sign, rho in zip("+-", pair, strict=True)}


def _young_orthogonal_form(shape: _Shape) -> Float64[np.ndarray, "exchange d d"]:
    """Matrices of the exchanges of i and i + 1 in the basis of standard tableaux."""
    content = _contents(shape)
    found = []
    for i in range(content.shape[1] - 1):
        distance = content[:, i + 1] - content[:, i]
        exchanged = np.insert(np.delete(content, i, axis=1), i + 1, content[:, i], axis=1)
        is_exchanged = (exchanged[:, None] == content).all(axis=-1)
        found.append(np.diag(1 / distance) + is_exchanged * np.sqrt(1 - 1 / distance**2))
    return np.array(found)


def _contents(shape: _Shape) -> Int64[np.ndarray, "d entry"]:
    """Column less row of every entry of each standard tableau, which determine the tableau."""
    if sum(shape) == 0:
        return np.zeros((1, 0), dtype=np.int64)
    found = []
    for row, length in enumerate(shape):
        if length > (*shape, 0)[row + 1]:  # the largest entry may be at the end of this row
            smaller = _contents((*shape[:row], length - 1, *shape[row + 1 :]))
            found.append(np.pad(smaller, ((0, 0), (0, 1)), constant_values=length - 1 - row))
    return np.concatenate(found)


def _n_inversions(words: Int64[np.ndarray, "n letter"]) -> Int64[np.ndarray, " n"]:
    i, j = np.triu_indices(words.shape[1], k=1)
    return (words[:, i] > words[:, j]).sum(axis=1)


def _partitions(n: int, largest: int) -> list[_Shape]:
    """Partitions of n into parts of at most ``largest``, in descending order."""
    if n == 0:
        return [()]
    parts = range(min(n, largest), 0, -1)
    return [(part, *others) for part in parts for others in _partitions(n - part, part)]


def _name(shape: _Shape) -> str:
    return ".".join(map(str, shape))
