import math

import pytest
import torch
from torch import Tensor

from grok.groups import group
from grok.metrics.components import (
    effective_dimension,
    explained_variance,
    from_components,
    on_components,
    variance_entropy,
)
from grok.metrics.parallelograms import is_implied, reached
from grok.metrics.representation import (
    DIAGRAMS,
    PAPER,
    TRAIN_ADD,
    Convention,
    defects,
    matrix_rqi,
    predicted_accuracy,
    product_defects,
    realised,
    rows_without,
    rqi,
)
from grok.metrics.samples import addition_samples, group_samples

P10 = addition_samples(10)
S3 = group_samples("S3")
CONVENTIONS = [TRAIN_ADD, DIAGRAMS, PAPER]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def line(p: int = 10, d: int = 1) -> Tensor:
    """Every dimension a multiple of the symbol, and an offset."""
    slope = torch.arange(1, d + 1, dtype=torch.float64)
    return torch.arange(p, dtype=torch.float64)[:, None] * slope - 7


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_line_realises_all_and_noise_in_many_dimensions_none(convention: Convention) -> None:
    assert rqi(line(d=3), P10.rows, *convention) == 1
    assert rqi(noise(10, 20), P10.rows, *convention) == 0


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("d", [1, 3])
def test_quality_is_the_share_of_closed_parallelograms(convention: Convention, d: int) -> None:
    """Against the definition, parallelogram by parallelogram."""
    is_scaled = convention.normalize == "std"
    embedding = line(d=d) / 9 + (0.02 if is_scaled else 0.003) * noise(10, d)
    scaled = embedding / embedding.std(dim=0) if is_scaled else embedding  # no mean in a defect
    closed = 0
    for first, second in P10.parallelograms:
        (i, j), (m, n) = P10.pairs[first], P10.pairs[second]
        size = (scaled[i] + scaled[j] - scaled[m] - scaled[n]).norm()
        statistic = {"mean": size**2 / d, "sum": size**2, "distance": size}[convention.reduce]
        closed += bool(statistic < convention.threshold)
    assert 0 < closed < 70
    assert rqi(embedding, P10.rows, *convention) == closed / 70


def test_the_default_is_that_of_the_training_script() -> None:
    embedding = line(d=2) + 0.1 * noise(10, 2)
    assert torch.equal(rqi(embedding, P10.rows), rqi(embedding, P10.rows, *TRAIN_ADD))
    assert TRAIN_ADD == ("std", "mean", 0.01)


def test_the_diagrams_leave_out_the_parallelograms_of_symbol_0() -> None:
    rows = rows_without(P10.rows, 0)
    assert len(rows) == 50
    named = [{int(s) for k in pair for s in P10.pairs[k]} for pair in P10.parallelograms]
    assert len(rows) == sum(0 not in symbols for symbols in named)
    assert (rows[:, 0] == 0).all()


@pytest.mark.parametrize("d", [1, 2])
def test_standardised_defects_are_blind_to_shift_and_scale_of_each_dimension(d: int) -> None:
    embedding = noise(10, d)
    moved = embedding * torch.tensor([5.0, 0.1])[:d] + torch.tensor([3.0, -8.0])[:d]
    torch.testing.assert_close(defects(moved, P10.rows), defects(embedding, P10.rows))
    scaled = defects(3 * embedding, P10.rows, "none", "distance")
    torch.testing.assert_close(scaled, 3 * defects(embedding, P10.rows, "none", "distance"))


def test_the_standard_deviation_is_the_unbiased_one() -> None:
    embedding = torch.tensor([[0.0], [1.0], [5.0]])
    samples = addition_samples(3)  # its one equation is E_0 + E_2 = 2 E_1
    expected = 3.0**2 / 7.0  # 7 is the sum of squares about the mean, 14, over p - 1
    torch.testing.assert_close(
        defects(embedding, samples.rows), torch.tensor([expected], dtype=torch.float64)
    )


def test_a_dimension_without_variation_adds_nothing() -> None:
    flat = torch.cat([noise(10, 1), torch.full((10, 1), 2.0, dtype=torch.float64)], dim=1)
    alone = defects(flat[:, :1], P10.rows, reduce="sum")
    torch.testing.assert_close(defects(flat, P10.rows, reduce="sum"), alone)
    torch.testing.assert_close(defects(flat, P10.rows), alone / 2)


def test_a_collapsed_embedding_has_no_quality_and_realises_nothing() -> None:
    collapsed = torch.full((10, 2), 0.3)
    assert rqi(collapsed, P10.rows).isnan()
    assert not realised(defects(collapsed, P10.rows)).any()
    assert rqi(collapsed, P10.rows, *PAPER) == 1  # as the text has it


def test_permutation_matrices_realise_every_product() -> None:
    elements = torch.as_tensor(group("S3").elements.copy())  # type: ignore[union-attr]
    matrices = torch.zeros(6, 3, 3)
    for a, images in enumerate(elements):
        matrices[a, images, torch.arange(3)] = 1  # column x has its 1 at a(x): "first b, then a"
    assert matrix_rqi(matrices, S3, threshold=1e-12) == 1
    assert matrix_rqi(5 * matrices, S3, threshold=1e-12) == 1
    moved = matrices.roll(1, dims=0)
    assert matrix_rqi(moved, S3) < 1


def test_matrix_defects_are_mean_squared_entries_of_matrices_of_unit_size() -> None:
    matrices = noise(6, 3, 3)
    scaled = matrices / matrices.square().mean().sqrt()
    for k in (0, 17, 89):
        (a, b), (c, d) = (S3.pairs[s] for s in S3.parallelograms[k])
        expected = (scaled[a] @ scaled[b] - scaled[c] @ scaled[d]).square().mean()
        torch.testing.assert_close(product_defects(matrices, S3)[k], expected)
    assert matrix_rqi(torch.zeros(6, 3, 3), S3).isnan()


def test_predicted_accuracy_lies_between_the_training_share_and_the_ideal_one() -> None:
    mask = torch.arange(55) % 5 != 0
    nothing, all_ = torch.zeros(70, dtype=torch.bool), torch.ones(70, dtype=torch.bool)
    assert predicted_accuracy(nothing, mask, P10) == 44 / 55
    implied = is_implied(mask, P10)
    ideal = float(reached(implied, mask, P10).double().mean())
    assert predicted_accuracy(implied, mask, P10) == ideal
    assert predicted_accuracy(all_, mask, P10) >= ideal
    assert predicted_accuracy(realised(defects(line(), P10.rows)), mask, P10) == ideal


def circle(p: int) -> Tensor:
    angle = 2 * math.pi * torch.arange(p, dtype=torch.float64) / p
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def test_effective_dimension_of_line_circle_and_equal_directions() -> None:
    dimension = effective_dimension
    torch.testing.assert_close(dimension(line(d=4)), torch.tensor(1.0, dtype=torch.float64))
    torch.testing.assert_close(dimension(circle(9)), torch.tensor(2.0, dtype=torch.float64))
    simplex = torch.eye(7, dtype=torch.float64)  # 6 equal directions once the mean is off
    torch.testing.assert_close(dimension(simplex), torch.tensor(6.0, dtype=torch.float64))
    torch.testing.assert_close(variance_entropy(simplex).exp(), dimension(simplex))
    assert dimension(torch.ones(5, 3)).isnan()


def test_explained_variance_is_that_of_the_covariance() -> None:
    embedding = noise(12, 5) * torch.arange(1, 6) + 100
    covariance = torch.linalg.eigvalsh(torch.cov(embedding.T)).flip(0)
    torch.testing.assert_close(explained_variance(embedding), covariance / covariance.sum())


def test_all_components_give_the_embedding_back_and_few_keep_the_most() -> None:
    embedding = noise(12, 5) + 3
    torch.testing.assert_close(from_components(embedding, embedding, 5), embedding)
    for n in (1, 2, 4):
        kept = from_components(embedding, embedding, n)
        lost = (embedding - kept).square().sum()
        share = explained_variance(embedding)[n:].sum()
        total = (embedding - embedding.mean(dim=0)).square().sum()
        torch.testing.assert_close(lost, share * total)
        assert lost <= (embedding - from_components(embedding, noise(12, 5, seed=1), n)).norm() ** 2


def test_coordinates_on_the_components_of_another_are_those_of_its_plane() -> None:
    turn, _ = torch.linalg.qr(noise(5, 5))
    plane = torch.cat([3 * circle(8)[:, :1], circle(8)[:, 1:], torch.zeros(8, 3)], dim=1) @ turn
    embedding = noise(8, 5, seed=2)
    found = on_components(embedding, plane, 2)
    centred = embedding - embedding.mean(dim=0)
    expected = centred @ turn[:2].T
    torch.testing.assert_close(found.abs(), expected.abs())
    torch.testing.assert_close(on_components(-embedding, plane, 2), -found)


def test_components_do_not_depend_on_the_sign_of_the_decomposition() -> None:
    embedding = noise(8, 3)
    torch.testing.assert_close(
        on_components(embedding, -embedding, 2), on_components(embedding, embedding, 2)
    )


def test_an_unknown_convention_is_refused() -> None:
    # Past the annotations, as in a run where nothing checks them.
    function = getattr(defects, "__wrapped__", defects)
    with pytest.raises(ValueError, match="allowed are std, none and mean, sum, distance"):
        function(line(), P10.rows, "std", "median")  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [0, 4])
def test_a_number_of_components_that_cannot_be_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"n must be 1 to 3, got {n}"):
        on_components(noise(8, 3), noise(8, 3), n)
