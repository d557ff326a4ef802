"""Initial parameters: their distributions, and the published values that follow."""

import math
from typing import Any

import pytest
import scipy.stats
import torch

from grok.models.config import PLACEMENTS, norm_config
from grok.models.init import initial_parameters
from grok.models.transformer import Transformer
from tests.builders import changed, make_stack, paper, tiny, transformer

SEEDS = [0, 1, 2]
# sigma of a scheme for each matrix of the paper's sizes: d_model 128, d_mlp 512, 114 classes.
SQRT_D = math.sqrt(128)
XAVIER = math.sqrt(6 / (128 + 3 * 128))  # of the packed 384 x 128 matrix
CUT = 2  # in sigma


def normal(sigma: float) -> Any:
    return scipy.stats.norm(scale=sigma)


def truncated(fan_in: int) -> Any:
    return scipy.stats.truncnorm(-CUT, CUT, scale=fan_in**-0.5)


PROJECTIONS = dict.fromkeys(("W_Q", "W_K", "W_V"), scipy.stats.uniform(-XAVIER, 2 * XAVIER))
EMBEDDINGS = {"W_E": normal(1 / SQRT_D), "W_U": normal(1 / SQRT_D), "W_pos": normal(0.02)}
MATRICES = ("W_E", "W_pos", "W_Q", "W_K", "W_V", "W_O", "W_in", "W_gate", "W_out", "W_U")
LAWS: dict[str, dict[str, Any]] = {
    "lecun": {
        **EMBEDDINGS,
        **PROJECTIONS,
        **dict.fromkeys(("W_O", "W_in", "W_gate"), truncated(128)),
        "W_out": truncated(512),
    },
    "kaiming": {
        **EMBEDDINGS,
        **PROJECTIONS,
        **dict.fromkeys(("W_O", "W_in", "W_gate"), normal(math.sqrt(2 / 128))),
        "W_out": normal(math.sqrt(2 / 512)),
    },
    "nanda": dict.fromkeys(MATRICES, normal(1 / SQRT_D)) | {"W_U": normal(1 / math.sqrt(114))},
    "transformer_lens": dict.fromkeys(MATRICES, normal(0.8 / SQRT_D)),
}


def parameters(seed: int = 0, n: int = 113, **fields: Any) -> dict[str, torch.Tensor]:
    model = paper(**fields).model
    return initial_parameters(Transformer(model, n), seed)


def norm_of(params: dict[str, torch.Tensor]) -> float:
    return math.sqrt(sum(x.square().sum().item() for x in params.values()))


@pytest.mark.parametrize("scheme", LAWS)
def test_every_matrix_follows_the_law_of_its_scheme(scheme: str) -> None:
    drawn = parameters(init=scheme, act="glu")
    assert {name.rpartition(".")[2] for name in drawn if "W_" in name} == LAWS[scheme].keys()
    for name, law in LAWS[scheme].items():
        values = drawn[name if name in drawn else f"blocks.0.{name}"].flatten().numpy()
        # Five standard errors; the Kolmogorov test sees the shape as well.
        assert values.std() == pytest.approx(law.std(), rel=5 / math.sqrt(2 * len(values)))
        assert scipy.stats.kstest(values, law.cdf).pvalue > 1e-3, name
        assert law.support()[0] <= values.min()
        assert values.max() <= law.support()[1]


def test_lecun_is_cut_at_two_sigma_without_correcting_the_variance() -> None:
    W_in = parameters()["blocks.0.W_in"]
    assert 1.99 < SQRT_D * W_in.abs().max().item() <= 2
    # The variance of a normal law cut at +-2 sigma is 0.774 sigma^2.
    assert 128 * W_in.var().item() == pytest.approx(0.774, abs=0.015)


ALL_BIASES: dict[str, Any] = dict.fromkeys(
    ("bias_qkv", "bias_out", "bias_mlp", "bias_unembed"), True
)


def uniform(fan_in: int) -> Any:
    return scipy.stats.uniform(-(fan_in**-0.5), 2 * fan_in**-0.5)


def test_torch_draws_as_its_modules_do_biases_too() -> None:
    """Embeddings are normal, a linear map is uniform within one over the root of its fan-in."""
    drawn = parameters(init="torch", act="glu", norm=norm_config("peri"), **ALL_BIASES)
    for name, x in drawn.items():
        last = name.rpartition(".")[2]
        if last in ("w", "b"):
            assert (x == (1.0 if last == "w" else 0.0)).all(), name
            continue
        law = normal(1.0) if last in ("W_E", "W_pos") else uniform(512 if "out" in last else 128)
        values = x.flatten().numpy()
        assert scipy.stats.kstest(values, law.cdf).pvalue > 1e-3, name
        assert law.support()[0] <= values.min()
        assert values.max() <= law.support()[1]
    linear = torch.nn.Linear(512, 128)
    for ours, theirs in (("W_out", linear.weight), ("b_out", linear.bias)):
        largest = drawn[f"blocks.0.{ours}"].abs().max().item()
        assert largest == pytest.approx(theirs.abs().max().item(), rel=0.1)


def test_the_encoder_of_the_small_language_model_starts_at_a_norm_of_25() -> None:
    """Two layers of width 64 and 256: gains 256, embeddings left out."""
    sizes: dict[str, Any] = {"d_model": 64, "d_mlp": 256, "n_layers": 2, "init": "torch"}
    drawn = parameters(norm=norm_config("sublayer"), **sizes, **ALL_BIASES)
    blocks = {name: x for name, x in drawn.items() if name.startswith("blocks")}
    gains = {name: x for name, x in blocks.items() if name.endswith(".w")}
    assert norm_of(gains) ** 2 == 256
    # Fan-in n: variance 1 / 3n. Of each layer 4 x 64 rows and 256 x (1 + 1/64), 64 x (1 + 1/256)...
    of_layer = (4 * 64 * 65 / 64 + 256 * 65 / 64 + 64 * 257 / 256) / 3
    assert norm_of(blocks) ** 2 == pytest.approx(256 + 2 * of_layer, rel=0.02)


@pytest.mark.parametrize("scheme", LAWS)
def test_biases_start_at_0_and_gains_at_1(scheme: str) -> None:
    drawn = parameters(init=scheme, norm=norm_config("peri"), **ALL_BIASES)
    rest = {name: x for name, x in drawn.items() if "W_" not in name}
    assert len(rest) == 3 + 1 + 2 + 1 + 2 * 4
    for name, x in rest.items():
        assert (x == (1.0 if name.endswith(".w") else 0.0)).all(), name


@pytest.mark.parametrize("seed", SEEDS)
def test_initial_sum_of_squares_of_nanda_is_1781(seed: int) -> None:
    """114 + 3 + 4 * 128 + 2 * 512 + 128, with a standard deviation of 5.3."""
    assert norm_of(parameters(seed, init="nanda")) ** 2 == pytest.approx(1781, abs=3 * 5.3)


@pytest.mark.parametrize(("name", "published"), [("A*", 4.83), ("M", 4.87), ("M+A*", 4.94)])
def test_initial_loss_with_layer_norm_is_published(name: str, published: float) -> None:
    norm = norm_config(name, eps=0.0)
    losses = [make_stack(paper(seed=seed, norm=norm)).losses().item() for seed in SEEDS]
    assert sum(losses) / len(losses) == pytest.approx(published, abs=0.02)


def test_a_seed_gives_the_same_parameters_and_another_seed_others() -> None:
    model = transformer()
    ours, again, other = (initial_parameters(model, seed) for seed in (3, 3, 4))
    torch.testing.assert_close(ours, again, rtol=0, atol=0)
    for name in (name for name in ours if "W_" in name):
        assert not torch.equal(ours[name], other[name])


@pytest.mark.parametrize("name", PLACEMENTS)
def test_every_placement_starts_at_the_same_matrices(name: str) -> None:
    plain = initial_parameters(transformer(), 0)
    normed = initial_parameters(transformer(norm=norm_config(name)), 0)
    torch.testing.assert_close({k: normed[k] for k in plain}, plain, rtol=0, atol=0)


def test_drawing_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    initial_parameters(transformer(), 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_initial_scale_multiplies_every_parameter() -> None:
    norm = norm_config("pre")
    whole = initial_parameters(transformer(norm=norm), 0)
    half = initial_parameters(transformer(norm=norm, init_scale=0.5), 0)
    torch.testing.assert_close(half, {name: x / 2 for name, x in whole.items()}, rtol=0, atol=0)


def test_a_float32_run_starts_at_the_rounded_parameters_of_the_float64_run() -> None:
    config = tiny(norm=norm_config("pre"), init_scale=0.7)
    double, single = make_stack(config), make_stack(changed(config, dtype="float32"))
    assert single.theta.dtype == torch.float32
    assert torch.equal(single.theta, double.theta.float())
