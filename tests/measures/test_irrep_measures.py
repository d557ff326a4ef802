"""Readings by irreducible representation where the logits are sums of known characters."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from grok.groups import group
from grok.keys import find_key
from grok.measures import MEASURES, Composition, Readings, Snapshot
from grok.metrics.group_fourier import irrep_basis
from grok.metrics.irreps import irreps
from tests.metrics.test_group_fourier import cubes, gaussian, table_of

ALPHA: dict[str, dict[str, float]] = {
    "S3": {"2.1": 4.0},
    "S4": {"3.1": 3.0, "1.1.1.1": 1.0},
    "A4": {"3.1": 2.0, "2.2": 1.5},
    "D5": {"1": 3.0, "sign": 2.0},
    "C3xC5": {"1x2": 2.0, "1x-2": 3.0, "0x1": 1.0},
}
FACTORS = (1.0, 1.5)
each_group = pytest.mark.parametrize("name", ALPHA)


def names_of(name: str) -> list[str]:
    return [rho.name for rho in irreps(name)]


def by_irrep(name: str, alpha: dict[str, float]) -> Tensor:
    return torch.tensor([alpha.get(of, 0.0) for of in names_of(name)], dtype=torch.float64)


def logits_of(name: str, alpha: dict[str, float]) -> Tensor:
    """The sum of alpha chi(a·b·c^-1), from the matrices."""
    return (by_irrep(name, alpha)[:, None, None] * cubes(name)).sum(dim=0)


def loss_of(name: str, alpha: dict[str, float]) -> float:
    """Cross-entropy of that sum, the same for every pair."""
    characters = torch.stack([torch.from_numpy(rho.character) for rho in irreps(name)])
    logits = by_irrep(name, alpha) @ characters
    return float(logits.logsumexp(0) - logits[0])


def matrix_of(name: str, amplitude: dict[str, float]) -> Tensor:
    """Every function of some representations in a column of its own."""
    basis, index = irrep_basis(name)
    return (by_irrep(name, amplitude)[index, None] * basis).mT


def train_mask(n: int, seed: int = 0) -> Tensor:
    return torch.rand(n * n, generator=torch.Generator().manual_seed(seed)) < 0.4


def snapshot_of(name: str, logits: Tensor, *keys: str, **matrices: Tensor) -> Snapshot:
    """A stack of runs with these logits and, in all runs, matrices and training pairs."""
    n, n_runs = group(name).order, len(logits)
    full = {of: matrices.get(of, torch.eye(n)).expand(n_runs, -1, -1) for of in ("W_E", "W_U")}
    full["W_L"] = matrices.get("W_L", torch.eye(n)).expand(n_runs, -1, -1)
    found = Composition(name, logits, full, train_mask(n).expand(n_runs, -1), keys)
    return Snapshot(0, {}, composition=lambda: found)


def read(*of: Any, **matrices: Tensor) -> Readings:
    return MEASURES["irrep"](snapshot_of(*of, **matrices))


def keys_in(readings: Readings, run: int = 0) -> set[str]:
    start = "irrep/key/"
    return {k.removeprefix(start) for k, x in readings.items() if k.startswith(start) and x[run]}


@each_group
def test_a_network_of_known_characters_has_these_as_keys_and_their_losses(name: str) -> None:
    alpha, others = ALPHA[name], names_of(name)[1:]
    logits = torch.stack([factor * logits_of(name, alpha) for factor in FACTORS])
    readings = read(name, logits, W_L=matrix_of(name, dict.fromkeys(alpha, 2.0)))
    for run, factor in enumerate(FACTORS):
        scaled = {of: factor * x for of, x in alpha.items()}
        whole, uniform = loss_of(name, scaled), math.log(group(name).order)
        assert keys_in(readings, run) == set(alpha)
        expected: dict[str, float] = {
            "irrep/n_keys": len(alpha),
            "irrep/fve_in_keys": 1,
            "irrep/logit_power_in_keys": 1,
            "irrep/power_in_keys/W_L": 1,
        }
        for split in ("train", "test", "all"):
            expected[f"irrep/restricted/{split}"] = whole
            expected[f"irrep/restricted_acc/{split}"] = 1
            expected[f"irrep/excluded/{split}"] = uniform
        single = {
            of: loss_of(name, {other: x for other, x in scaled.items() if other != of})
            for of in others
        }
        expected |= {f"irrep/excluded_single/{of}": x for of, x in single.items()}
        expected["irrep/excluded_max"] = max(single.values())
        for of in others:
            kept = {of: scaled[of]} if of in scaled else {}
            expected[f"irrep/restricted_single/{of}"] = loss_of(name, kept)
            expected[f"irrep/alpha/{of}"] = scaled.get(of, 0)
        for key, value in expected.items():
            assert float(readings[key][run]) == pytest.approx(value, rel=1e-9, abs=1e-12), key


def test_shares_of_power_are_those_of_the_functions() -> None:
    """3.1 of S4 has nine functions, the sign one; equal amplitudes share 9 to 1."""
    W_U = matrix_of("S4", {"4": 7.0, "3.1": 2.0, "1.1.1.1": 2.0})
    found = read("S4", gaussian(1, 576, 24), W_E=gaussian(24, 5) + 3, W_U=W_U)
    assert float(found["irrep/power/W_U/3.1"]) == pytest.approx(0.9)
    assert float(found["irrep/power/W_U/1.1.1.1"]) == pytest.approx(0.1)
    of_embedding = sum(float(found[f"irrep/power/W_E/{of}"]) for of in names_of("S4")[1:])
    assert of_embedding == pytest.approx(1)


@pytest.mark.parametrize(
    ("amplitude", "expected"),
    [
        ({"3.1": 1.0, "1.1.1.1": 1.0}, {"3.1", "1.1.1.1"}),  # a ninth of the power
        ({"3.1": 1.0, "1.1.1.1": 0.26}, {"3.1", "1.1.1.1"}),
        ({"3.1": 1.0, "1.1.1.1": 0.24}, {"3.1"}),
        ({"4": 100.0, "2.2": 1.0}, {"2.2"}),
        ({}, set()),
    ],
)
def test_a_key_has_more_than_a_quarter_of_the_largest_norm_per_function(
    amplitude: dict[str, float], expected: set[str]
) -> None:
    readings = read("S4", gaussian(1, 576, 24), W_L=matrix_of("S4", amplitude))
    assert keys_in(readings) == expected
    if not expected:
        uniform = gaussian(1, 576, 24).mean(dim=1).log_softmax(-1)
        assert float(readings["irrep/restricted/all"]) == pytest.approx(-float(uniform.mean()))


def test_given_keys_stand_in_place_of_the_rule() -> None:
    alpha = ALPHA["S4"]
    readings = read("S4", logits_of("S4", alpha)[None], "3.1", W_L=matrix_of("S4", alpha))
    assert keys_in(readings) == {"3.1"}
    torch.testing.assert_close(
        readings["irrep/restricted/test"], readings["irrep/restricted_single/3.1"]
    )
    expected = loss_of("S4", {"1.1.1.1": 1.0})
    assert float(readings["irrep/excluded/all"]) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["S3", "S4", "D5"])
def test_readings_are_blind_to_inner_automorphisms(name: str) -> None:
    """Every element x is called g·x·g^-1, in arguments, classes and rows of the matrices."""
    n, table = group(name).order, table_of(name)
    g = n - 2
    renamed = table[table[g], table[g].argmin()]
    pair = (renamed[:, None] * n + renamed).flatten()
    logits, matrices = (
        gaussian(1, n * n, n),
        {f"W_{x}": gaussian(n, 5, seed=i) for i, x in enumerate("EUL")},
    )
    snapshot = snapshot_of(name, logits, **matrices)
    moved = snapshot.composition._replace(
        logits=logits[:, pair][..., renamed],
        matrices={of: W[:, renamed] for of, W in snapshot.composition.matrices.items()},
        is_train=snapshot.composition.is_train[:, pair],
    )
    assert not torch.equal(moved.logits, logits)
    torch.testing.assert_close(
        MEASURES["irrep"](Snapshot(0, {}, composition=lambda: moved)), MEASURES["irrep"](snapshot)
    )


def test_a_stack_of_two_reads_as_each_alone() -> None:
    logits, W_L = gaussian(2, 576, 24), gaussian(24, 3) ** 3
    both = read("S4", logits, W_L=W_L)
    for run in range(2):
        alone = read("S4", logits[run : run + 1], W_L=W_L)
        torch.testing.assert_close({k: x[run : run + 1] for k, x in both.items()}, alone)


@each_group
def test_every_reading_has_a_key_of_the_family(name: str) -> None:
    n = group(name).order
    for key in read(name, gaussian(1, n * n, n)):
        row = find_key(key)
        assert row is not None
        assert row.family == "irrep"
