"""Spectra of the weight matrices of the blocks."""

import numpy as np
import pytest
import torch
from torch import Tensor

from grok.measures import Snapshot, weight_spectra
from grok.metrics.spectra import power_law_fit
from tests.builders import make_stack, tiny

KINDS = ("alpha", "published_stable_rank", "effective_rank", "rank")


def matrix(singular_values: Tensor, d_out: int, d_in: int) -> Tensor:
    """A matrix with these singular values in random directions."""
    generator = torch.Generator().manual_seed(0)
    n = len(singular_values)
    left, _ = torch.linalg.qr(torch.randn(d_out, n, dtype=torch.float64, generator=generator))
    right, _ = torch.linalg.qr(torch.randn(d_in, n, dtype=torch.float64, generator=generator))
    return (left * singular_values) @ right.mT


def test_ranks_are_those_of_the_singular_values() -> None:
    """sigma^2 = 4, 1, 1: norm sqrt(6) over 2; shares 2/3, 1/6, 1/6."""
    sigma = torch.tensor([2.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    params = {"W": matrix(sigma, 9, 6).unsqueeze(0), "b": torch.ones(1, 6)}
    readings = weight_spectra(Snapshot(0, params))
    assert readings["compress/weight_rank/W"].item() == 3
    assert readings["compress/weight_published_stable_rank/W"].item() == pytest.approx(1.5**0.5)
    expected = 1.5 ** (2 / 3) * 6 ** (1 / 3)
    assert readings["compress/weight_effective_rank/W"].item() == pytest.approx(expected)
    assert not any("b" in key.split("/")[2:] for key in readings)


@pytest.mark.parametrize(("d_out", "d_in"), [(32, 8), (8, 32)])
def test_the_tolerance_of_the_rank_is_that_of_a_float32_matrix(d_out: int, d_in: int) -> None:
    tolerance = 32 * 2**-23
    sigma = torch.tensor([1.0, 1.1 * tolerance, 0.9 * tolerance], dtype=torch.float64)
    params = {"W": matrix(sigma, d_out, d_in).unsqueeze(0)}
    assert weight_spectra(Snapshot(0, params))["compress/weight_rank/W"].item() == 2


def test_matrices_of_a_stack_are_those_of_its_blocks_and_agree_with_numpy() -> None:
    stack = make_stack(*(tiny(init_seed=s, n_layers=2, act="glu", tied=True) for s in range(2)))
    stack.advance(3)
    readings = weight_spectra(stack.snapshot())
    names = [
        f"blocks.{layer}.W_{name}"
        for layer in range(2)
        for name in ("Q", "K", "V", "O", "in", "gate", "out")
    ]
    assert readings.keys() == {
        f"compress/weight_{kind}{name}"
        for kind in KINDS
        for name in ("", *(f"/{n}" for n in names))
    }
    params = stack.named(stack.theta)
    for name in names:
        for run, W in enumerate(params[name].numpy()):
            sigma = np.linalg.svd(W, compute_uv=False)
            q = sigma**2 / (sigma**2).sum()
            expected = {
                "alpha": power_law_fit(torch.from_numpy(sigma**2)).alpha.item(),
                "published_stable_rank": np.linalg.norm(W) / np.linalg.norm(W, 2),
                "effective_rank": np.exp(-(q * np.log(q)).sum()),
                "rank": np.linalg.matrix_rank(W),
            }
            for kind, value in expected.items():
                ours = readings[f"compress/weight_{kind}/{name}"][run].item()
                assert ours == pytest.approx(value), (name, kind)


def test_the_plain_keys_are_means_over_the_matrices() -> None:
    readings = weight_spectra(make_stack(tiny(n_layers=2)).snapshot())
    for kind in KINDS:
        plain = readings.pop(f"compress/weight_{kind}")
        each = [x for key, x in readings.items() if key.startswith(f"compress/weight_{kind}/")]
        assert len(each) == 12
        torch.testing.assert_close(plain, torch.stack(each).mean(dim=0))


def test_a_module_without_matrices_has_no_readings() -> None:
    assert weight_spectra(Snapshot(0, {"w": torch.ones(1, 3)})) == {}
