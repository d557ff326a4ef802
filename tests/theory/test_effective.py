import math
from typing import Any

import pytest
import torch
from torch import Tensor

from grok.metrics.parallelograms import in_training, is_implied
from grok.metrics.samples import addition_samples
from grok.theory.effective import (
    Normalization,
    chosen,
    effective_loss,
    gram,
    hessian,
    predicted_steps,
    spectrum,
    squared_norm,
    unscaled_loss,
)

P10 = addition_samples(10)
ALL = torch.ones(55, dtype=torch.bool)
EVERY = torch.ones(70, dtype=torch.bool)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def sets(n: int, n_draws: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(n)
    return torch.rand(n_draws, 55, generator=generator).argsort(dim=1).argsort(dim=1) < n


@pytest.mark.parametrize("normalization", ["sum", "mean"])
@pytest.mark.parametrize("d", [1, 3])
def test_the_loss_is_the_sum_or_mean_of_squared_defects(normalization: Any, d: int) -> None:
    embedding = noise(10, d)
    is_chosen = in_training(sets(30)[0], P10)
    total = torch.zeros((), dtype=torch.float64)
    for first, second in P10.parallelograms[is_chosen]:
        (i, j), (m, n) = P10.pairs[first], P10.pairs[second]
        total += (embedding[i] + embedding[j] - embedding[m] - embedding[n]).square().sum()
    expected = total / is_chosen.sum() if normalization == "mean" else total
    matrix = gram(is_chosen, P10, normalization)
    torch.testing.assert_close(unscaled_loss(embedding, matrix), expected)
    torch.testing.assert_close(
        effective_loss(embedding, matrix), expected / embedding.square().sum()
    )


def test_the_hessian_is_that_of_the_loss_at_fixed_norm() -> None:
    embedding = noise(10, 2)
    matrix = gram(EVERY, P10)
    z0 = squared_norm(embedding)
    of = torch.func.jacrev(torch.func.grad(lambda x: unscaled_loss(x, matrix) / z0))
    found = of(embedding)
    torch.testing.assert_close(found[:, 0, :, 0], hessian(matrix, z0))
    torch.testing.assert_close(found[:, 0, :, 1], torch.zeros(10, 10, dtype=torch.float64))


def test_without_parallelograms_there_is_no_force() -> None:
    nothing = torch.zeros(70, dtype=torch.bool)
    for normalization in ("sum", "mean"):
        assert (gram(nothing, P10, normalization) == 0).all()


@pytest.mark.parametrize("p", [4, 6, 8, 10, 12, 20])
def test_the_third_eigenvalue_of_the_whole_table(p: int) -> None:
    samples = addition_samples(p)
    whole = torch.ones(len(samples.labels), dtype=torch.bool)
    found = spectrum(whole, samples)
    assert float(found.lambda_3) == pytest.approx(2 * (p + 2) / 4, rel=1e-12)
    assert int(found.nullity) == 2
    mean = spectrum(whole, samples, normalization="mean")
    torch.testing.assert_close(mean.eigenvalues * len(samples.rows), found.eigenvalues)


def test_the_published_numbers_of_the_whole_table() -> None:
    expected = [0, 0, 30, 31.2716, 36.5472, 38.3765, 42.1380, 45.7284, 47.3148, 48.6235]
    found = spectrum(ALL, P10, z0=2.0).eigenvalues
    assert [round(x, 4) for x in found.tolist()] == expected
    assert float(spectrum(ALL, P10, z0=9.0).lambda_3) == pytest.approx(60 / 9)


@pytest.mark.parametrize("n", [10, 20, 25, 40])
def test_the_rate_is_0_exactly_where_the_line_is_not_forced(n: int) -> None:
    found = spectrum(sets(n, 50), P10)
    assert ((found.lambda_3 > 0) == (found.nullity == 2)).all()
    assert (found.eigenvalues >= 0).all()
    assert ((found.eigenvalues == 0).sum(dim=1) == found.nullity).all()
    rows = [P10.rows[in_training(mask, P10)].double() for mask in sets(n, 50)]
    expected = torch.stack([torch.linalg.eigvalsh(x.T @ x) * 0.2 for x in rows])
    torch.testing.assert_close(found.eigenvalues, expected, rtol=1e-7, atol=1e-12)


def test_parallelograms_are_those_of_training_implied_or_all() -> None:
    masks = sets(25)
    assert torch.equal(chosen(masks, P10, "train"), in_training(masks, P10))
    assert torch.equal(chosen(masks, P10, "implied"), is_implied(masks, P10))
    assert chosen(masks, P10, "all").all()
    rates = [
        spectrum(masks, P10, parallelograms=which).lambda_3 for which in ("train", "implied", "all")
    ]
    assert (rates[0] <= rates[1] + 1e-12).all()  # what is implied adds to the force
    assert (rates[1] <= rates[2] + 1e-12).all()
    assert torch.allclose(rates[2], torch.tensor(6.0, dtype=torch.float64))


def test_choices_that_are_not_there_are_refused() -> None:
    of = getattr(chosen, "__wrapped__", chosen)
    with pytest.raises(ValueError, match="parallelograms='some': allowed are train, implied, all"):
        of(ALL, P10, "some")  # type: ignore[arg-type]
    of = getattr(gram, "__wrapped__", gram)
    with pytest.raises(ValueError, match="normalization='max': allowed are sum, mean"):
        of(EVERY, P10, "max")  # type: ignore[arg-type]


def test_steps_are_one_over_rate_and_learning_rate() -> None:
    rate = torch.tensor([0.0, 6.0], dtype=torch.float64)
    assert predicted_steps(rate, 1e-3).tolist() == [math.inf, pytest.approx(1000 / 6)]
    with pytest.raises(ValueError, match="must be positive"):
        predicted_steps(rate, 0.0)


def test_both_normalisations_raise_the_rate_with_the_training_set() -> None:
    """The means over random sets that a table of the theory has, n = 25, 35, 45."""
    expected: dict[Normalization, tuple[float, ...]]
    expected = {"sum": (0.77 / 5, 4.97 / 5, 13.5 / 5), "mean": (0.0100, 0.0350, 0.0578)}
    for normalization, values in expected.items():
        found = [
            float(spectrum(sets(n, 600), P10, normalization=normalization).lambda_3.mean())
            for n in (25, 35, 45)
        ]
        assert found == pytest.approx(values, rel=0.1)
