"""Degrees of networks as readings: those of table 1, of any problem's network."""

from typing import Any

import pytest
import torch
from torch import Tensor

from grok.config import RunConfig
from grok.config.measures import HomogeneityConfig, MeasuresConfig
from grok.measures import MEASURES, Readings, Snapshot
from grok.metrics.homogeneity import Parameters, scaled
from grok.models.config import norm_config
from grok.training import Stack, problem_of
from tests.builders import data_of, make_stack, sequences, tiny
from tests.images import digits_run
from tests.plain import PlainTransformer
from tests.toys import toy

N = 4
MEASURES_OF = MeasuresConfig(homogeneity=HomogeneityConfig(scales=(1.0, 3.0), n_examples=N))


def read(*configs: RunConfig) -> Readings:
    return MEASURES["homogeneity"](Stack(problem_of(configs)).snapshot())


def runs(**fields: Any) -> list[RunConfig]:
    without = {"bias_mlp": False, "act": "relu", "measures": MEASURES_OF}
    return [tiny(init_seed=s, split_seed=s, **(without | fields)) for s in range(2)]


@pytest.mark.parametrize(("n_layers", "degree"), [(1, 6), (2, 10), (3, 14)])
def test_logits_of_l_layers_without_norms_reach_the_degree_2_and_4_l(
    n_layers: int, degree: int
) -> None:
    readings = read(*runs(n_layers=n_layers))
    leading = torch.full((2,), float(degree), dtype=torch.float64)
    torch.testing.assert_close(readings["homog/leading_degree"], leading, rtol=1e-3, atol=0)
    last = f"homog/leading_degree/resid/{n_layers - 1}"
    torch.testing.assert_close(readings[last], leading - 1, rtol=1e-3, atol=0)
    assert (readings["homog/euler_degree"] < degree - 0.5).all()


def test_components_have_the_degrees_of_table_1_far_out() -> None:
    readings = read(*runs())
    for name, degree in {"scores": 4, "pattern": 0, "heads": 2, "attn_out": 3, "resid": 5}.items():
        found = readings[f"homog/leading_degree/{name}/0"]
        torch.testing.assert_close(
            found, torch.full_like(found, float(degree)), rtol=1e-3, atol=1e-3
        )
    scores = readings["homog/euler_degree/scores/0"]
    torch.testing.assert_close(scores, torch.full_like(scores, 4.0))


def test_a_final_norm_makes_the_degree_that_of_its_gain() -> None:
    """Exactly so before the unembedding, which does not keep lengths; beyond it in the limit."""
    config = norm_config("pre", final=True, eps=0.0)
    readings = read(*runs(norm=config))
    for key in ("homog/euler_degree/final", "homog/leading_degree/final"):
        torch.testing.assert_close(readings[key], torch.ones_like(readings[key]))
    two = torch.full((2,), 2.0, dtype=torch.float64)
    torch.testing.assert_close(readings["homog/leading_degree"], two, rtol=1e-5, atol=0)
    assert (readings["homog/rel_err/1"] > 0.1).all()  # what the degree does not tell


def test_readings_are_those_of_plain_torch() -> None:
    configs = runs(causal=True, n_layers=2, act="gelu", bias_mlp=True)
    stack = make_stack(*configs)
    stack.advance(5)
    readings = MEASURES["homogeneity"](stack.snapshot())
    for run, config in enumerate(configs):
        data = data_of(configs)[run]
        tokens = data.tokens[torch.cat([data.train[:N], data.test[:N]])]
        theta = {name: x[run].detach() for name, x in stack.named(stack.theta).items()}

        def f(c: float, config: Any = config, theta: Any = theta, tokens: Any = tokens) -> Tensor:
            plain = PlainTransformer(config.model, 7).load({n: c * x for n, x in theta.items()})
            return plain(tokens).logits[:, -1].detach().flatten()

        def close(key: str, value: Tensor, run: int = run) -> None:
            torch.testing.assert_close(readings[key][run], value, rtol=1e-5, atol=1e-9, msg=key)

        h = 1e-5
        close("homog/euler_degree", (f(1 + h).norm().log() - f(1 - h).norm().log()) / (2 * h))
        log = torch.tensor(1.01, dtype=torch.float64).log()
        k = (f(1010).norm() / f(1000).norm()).log() / log
        close("homog/leading_degree", k)
        close("homog/local_degree/3", (f(3.03).norm() / f(3).norm()).log() / log)
        close("homog/rel_err/3", (f(6) - 2**k * f(3)).norm() / (2**k * f(3)).norm())
        cosine = torch.nn.functional.cosine_similarity(f(3), f(1000), dim=0)
        close("homog/cos_to_sat/3", cosine)


def test_networks_of_every_problem_have_degrees() -> None:
    measures = MEASURES_OF
    every = {
        "sequences": sequences("skip_trigram", measures=measures),
        "toy": toy(dim=2, measures=measures),
        "images": digits_run(measures=measures),
    }
    for name, config in every.items():
        readings = read(config)
        assert readings["homog/euler_degree"].isfinite().all(), name
        assert readings["homog/cos_to_sat/1"].shape == (1,), name
    assert "homog/euler_degree/mlp_out/0" not in read(every["sequences"])
    # Three layers with biases: the largest degree is not above the number of layers.
    assert 0 < read(every["images"])["homog/leading_degree"].item() <= 3.001


def test_a_network_of_your_own_may_have_one_output_without_a_name() -> None:
    w = torch.randn(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def cube(p: Parameters) -> Tensor:
        return p["w"] ** 3

    snapshot = Snapshot(0, {"w": w}, network=lambda: cube, measures=MEASURES_OF)
    readings = MEASURES["homogeneity"](snapshot)
    three = torch.full((2,), 3.0, dtype=torch.float64)
    for key in ("euler_degree", "leading_degree", "local_degree/1", "local_degree/3"):
        torch.testing.assert_close(readings[f"homog/{key}"], three)
    assert readings["homog/rel_err/1"].max() < 1e-12
    assert torch.equal(w, scaled({"w": w}, 1.0)["w"])
