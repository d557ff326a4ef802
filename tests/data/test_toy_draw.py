"""The draws against facts of the published seeds, and against the global streams they stand for."""

import numpy as np
import pytest
import torch
from torch import Tensor

from grok.data.toy_draw import ToyDraw, published_draw, train_add_draw
from grok.metrics.parallelograms import ideal_validation_accuracy, in_training, nullity
from grok.metrics.representation import rqi
from grok.metrics.samples import addition_samples

P10 = addition_samples(10)


def mask_of(draw: ToyDraw) -> Tensor:
    mask = torch.zeros(55, dtype=torch.bool)
    mask[draw.train] = True
    return mask


def outputs(draw: ToyDraw) -> Tensor:
    """The decoder on E_a + E_b, for all samples."""
    value = draw.embedding[P10.pairs].sum(dim=1)
    value = (value @ draw.decoder["W_1"].T + draw.decoder["b_1"]).tanh()
    value = (value @ draw.decoder["W_2"].T + draw.decoder["b_2"]).tanh()
    return value @ draw.decoder["W_3"].T + draw.decoder["b_3"]


def loss(draw: ToyDraw) -> float:
    assert draw.targets is not None
    error = (outputs(draw) - draw.targets[P10.labels]).square()
    return float(error[mask_of(draw)].mean())


PUBLISHED = [
    (published_draw(58), 46, 13.14, 10),
    (published_draw(9), 47, 11.14, 10),
    (published_draw(25), 47, 12.85, 10),
    (train_add_draw(58), 44, 12.43, 10),
    (train_add_draw(0), 50, 15.55, 5),
]


@pytest.mark.parametrize(("draw", "n_train", "third", "n_right"), PUBLISHED)
def test_splits_of_the_published_seeds(
    draw: ToyDraw, n_train: int, third: float, n_right: int
) -> None:
    mask = mask_of(draw)
    rows = P10.rows[in_training(mask, P10)].double()
    assert int(nullity(mask, P10)) == 2
    assert len(rows) == n_train
    assert round(float(torch.linalg.eigvalsh(rows.T @ rows)[2]), 2) == third
    assert ideal_validation_accuracy(mask, P10) == n_right / 10


def test_the_split_of_the_published_classification() -> None:
    mask = mask_of(published_draw(6, loss="cross_entropy"))
    assert in_training(mask, P10).sum() == 49
    assert ideal_validation_accuracy(mask, P10) == 1


def test_seeds_of_the_script_that_leave_nothing_unpredictable() -> None:
    masks = torch.stack([mask_of(train_add_draw(seed)) for seed in range(61)])
    found = (ideal_validation_accuracy(masks, P10) == 1).nonzero()[:, 0].tolist()
    # fmt: off
    assert found == [1, 2, 3, 4, 6, 7, 9, 11, 16, 19, 23, 29, 33, 34, 35, 37, 41, 43, 46, 48, 49,
                     51, 56, 58]
    # fmt: on


def test_the_script_starts_where_its_log_does() -> None:
    draw = train_add_draw(58)
    assert draw.targets is not None
    assert loss(draw) == pytest.approx(0.98126620, rel=1e-6)  # float32 sums
    assert loss(train_add_draw(58, d=2)) == pytest.approx(0.96222609, rel=1e-6)
    mask = mask_of(draw)
    is_right = torch.cdist(outputs(draw), draw.targets).argmin(dim=1) == P10.labels
    assert (int(is_right[mask].sum()), int(is_right[~mask].sum())) == (2, 2)
    assert rqi(draw.embedding, P10.rows) == 1 / 70


def test_the_first_embedding_of_figure_4() -> None:
    """Read off the published panel, to the four digits of its recomputation."""
    embedding = published_draw(9).embedding[:, 0]
    standardised = (embedding - embedding.mean()) / embedding.std()
    # fmt: off
    expected = [-0.0934, -1.1929, -0.1531, 0.6383, -1.7240, -0.1727, -0.5560, 1.3898, 1.2128,
                0.6510]
    # fmt: on
    torch.testing.assert_close(standardised, torch.tensor(expected), rtol=0, atol=1e-4)


@pytest.mark.parametrize("n_out", [30, 19])
def test_the_script_draws_as_torch_does_from_a_global_seed(n_out: int) -> None:
    draw = train_add_draw(3, d=2, n_train=20, loss="mse" if n_out == 30 else "cross_entropy")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        embedding = torch.rand(10, 2) - 0.5
        layers = [torch.nn.Linear(i, o) for i, o in ((2, 200), (200, 200), (200, n_out))]
    assert torch.equal(draw.embedding, embedding)
    for k, layer in enumerate(layers, start=1):
        assert torch.equal(draw.decoder[f"W_{k}"], layer.weight)
        assert torch.equal(draw.decoder[f"b_{k}"], layer.bias)
    stream = np.random.RandomState(3)
    targets = torch.tensor(stream.normal(size=(19, n_out)), dtype=torch.float32)
    assert draw.targets is not None
    assert torch.equal(draw.targets, targets)
    assert draw.train.tolist() == stream.choice(55, 20, replace=False).tolist()


def test_the_published_order_draws_an_unused_matrix_and_an_unused_encoder_first() -> None:
    draw = published_draw(3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        [torch.nn.Linear(i, o) for i, o in ((10, 200), (200, 200), (200, 1))]
        decoder = [torch.nn.Linear(i, o) for i, o in ((1, 200), (200, 200), (200, 30))]
        embedding = torch.rand(10, 1) - 0.5
    assert torch.equal(draw.embedding, embedding)
    assert torch.equal(draw.decoder["W_2"], decoder[1].weight)
    stream = np.random.RandomState(3)
    stream.normal(size=(10, 30))
    targets = torch.tensor(stream.normal(size=(19, 30)), dtype=torch.float32)
    assert draw.targets is not None
    assert torch.equal(draw.targets, targets)
    assert draw.train.tolist() == stream.choice(55, 45, replace=False).tolist()


def test_classification_in_the_published_order_has_no_targets() -> None:
    draw = published_draw(3, loss="cross_entropy")
    assert draw.targets is None
    assert draw.decoder["W_3"].shape == (19, 200)


@pytest.mark.parametrize("draw", [published_draw, train_add_draw])
def test_no_global_state_is_read_or_changed(draw: type) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state, numpy_state = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        first = draw(58)
        assert torch.equal(torch.random.get_rng_state(), state)
        assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
        torch.manual_seed(1)
        assert torch.equal(draw(58).embedding, first.embedding)


@pytest.mark.parametrize("n_train", [0, 56])
def test_a_training_set_that_cannot_be_is_refused(n_train: int) -> None:
    with pytest.raises(ValueError, match=f"n_train={n_train}: allowed are 1 to 55"):
        published_draw(0, n_train=n_train)
