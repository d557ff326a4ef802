"""Checks of Singh et al. 2026: their readings meet the criteria, and those of other code do not."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from torch import Tensor

from grok.claims.checks import Readings
from grok.claims.checks import inductive_bias as checks
from grok.claims.checks import inductive_bias_steps as steps
from grok.config import OptimConfig, RunConfig
from grok.metrics.fourier import fourier_f_statistic
from grok.models.layers import normalise
from grok.models.transformer import Transformer

SEEDS = {"456", "789", "111"}
ALPHAS = {"0.5", "0.75", "1.0", "1.25", "1.5"}
SPLITS = SEEDS | {"222", "333", "0"}
PLACEMENTS = {"No LN", "A*", "M+A*", "M", "A^qk", "A^v", "M+A^v"}
LAYER_NORMS = PLACEMENTS - {"No LN"}


def product(left: set[str], right: set[str]) -> set[str]:
    return {f"{a}/{b}" for a in left for b in right}


WITH_KAIMING = product(PLACEMENTS | {"kaiming"}, SEEDS)
INITS = product({"lecun", "kaiming"}, SEEDS)
CASES: dict[Callable[[], Readings], dict[str, set[str]]] = {
    checks.ib_01: dict.fromkeys(
        (
            "n_train",
            "n_test",
            "first_a",
            "first_b",
            "label_errors",
            "equals_token",
            "token_errors",
        ),
        SPLITS,
    ),
    checks.ib_02: {
        "norm": WITH_KAIMING,
        "n_parameters": WITH_KAIMING,
        "initial_loss": product({"No LN"}, SEEDS),
    },
    checks.ib_03: dict.fromkeys(("pattern", "attn_out", "mlp_out"), PLACEMENTS),
    steps.ib_04: {"update_norm": product({"gelu", "relu"}, SEEDS)},
    steps.ib_05: {"difference": product(SEEDS, {"0.001", "0.3", "7.0", "10000.0"})},
    steps.ib_06: {"slope_ce": INITS, "slope_mse": INITS},
    steps.ib_07: {
        "kaiming": product(SEEDS, ALPHAS),
        "lecun": product(SEEDS, ALPHAS),
        "ratio": INITS,
    },
    steps.ib_08: {
        "lr_rule/eta": ALPHAS,
        "lr_rule/eta_lambda": ALPHAS,
        "hold/eta": {"0.001", "0.003", "0.005", "0.01"},
        "hold/eta_lambda": {"0.001", "0.003", "0.005", "0.01"},
        "change_unused": {"A*", "M", "A^qk", "A^v"},
        "change_used": {"A*", "M", "A^qk", "A^v"},
    },
    checks.ib_09: {
        "concentration": {"gaussian", "five frequencies"},
        "effective_rank": {"1", "5", "32", "128"},
        "exponent": product({"1.5", "2.5", "3.5"}, SEEDS),
        "entropy": {"each row", "published"},
    },
}
FAST = {"ib_01", "ib_02", "ib_08"}


@cache
def readings(check: Callable[[], Readings]) -> Readings:
    """Each check is run once."""
    return check()


def of(cases: Mapping[str, float], name: str) -> list[float]:
    """Values of the cases whose first or last part is ``name``."""
    return [value for case, value in cases.items() if name in case.split("/")]


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(
            check,
            id=check.__name__,
            marks=() if check.__name__ in FAST else pytest.mark.slow,
        )
        for check in CASES
    ],
)
def test_a_check_has_a_finite_number_for_each_of_its_cases(check: Callable[[], Readings]) -> None:
    found = readings(check)
    assert {name: set(cases) for name, cases in found.items()} == CASES[check]
    assert all(math.isfinite(value) for cases in found.values() for value in cases.values())


def test_data_and_split_are_the_published_ones() -> None:
    """IB-01."""
    found = readings(checks.ib_01)
    assert set(found["n_train"].values()) == {3831}
    assert set(found["n_test"].values()) == {8938}
    assert found["first_a"] == dict(zip(found["first_a"], (49, 48, 111, 17, 106, 18), strict=True))
    assert found["first_b"] == dict(zip(found["first_b"], (101, 80, 92, 38, 45, 34), strict=True))
    assert list(found["first_a"]) == ["456", "789", "111", "222", "333", "0"]
    assert set(found["equals_token"].values()) == {113}
    assert set(found["label_errors"].values()) == set(found["token_errors"].values()) == {0}


def test_initial_norms_counts_and_loss_are_published() -> None:
    """IB-02: 31.9 without LayerNorm, 35.7 with the two LayerNorms, 44.2 with Kaiming."""
    norm, n_parameters, loss = readings(checks.ib_02).values()
    assert of(norm, "No LN") == pytest.approx([31.9] * 3, abs=0.2)
    assert of(norm, "kaiming") == pytest.approx([44.2] * 3, abs=0.3)
    assert set(of(n_parameters, "No LN")) == {226_816}
    for placement in LAYER_NORMS:
        assert of(norm, placement) == pytest.approx([35.7] * 3, abs=0.2)
        assert set(of(n_parameters, placement)) == {227_328}
    assert list(loss.values()) == pytest.approx([4.74] * 3, abs=0.02)


@pytest.mark.slow
def test_a_placement_is_blind_to_scale_on_exactly_the_paths_it_names() -> None:
    """IB-03."""
    unchanged = {
        "pattern": {"A^qk", "A*", "M+A*"},
        "attn_out": {"A*", "M+A*"},
        "mlp_out": {"M", "M+A*", "M+A^v"},
    }
    for name, cases in readings(checks.ib_03).items():
        assert {case for case, change in cases.items() if change < 1e-9} == unchanged[name]
        assert {case for case, change in cases.items() if not change > 1e-3} == unchanged[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("act", "norm", "margin"), [("gelu", 0.465, 0.004), ("relu", 0.439, 0.012)]
)
def test_first_update_norm_is_published(act: str, norm: float, margin: float) -> None:
    """IB-04: 0.465 with GELU, 0.439 with ReLU, whose units that never fire do not move."""
    norms = readings(steps.ib_04)["update_norm"]
    assert of(norms, act) == pytest.approx([norm] * 3, abs=margin)


@pytest.mark.slow
def test_adamw_does_not_see_the_scale_of_the_loss_at_full_size() -> None:
    """IB-05."""
    assert max(readings(steps.ib_05)["difference"].values()) < 1e-4


@pytest.mark.slow
def test_gradients_grow_with_the_readout_scale_as_published() -> None:
    """IB-06: slope in [0.9, 1.7] for cross-entropy and in [1.9, 2.1] for MSE, 0.3 apart."""
    ce, mse = readings(steps.ib_06).values()
    for case in ce:
        assert 0.9 <= ce[case] <= 1.7
        assert 1.9 <= mse[case] <= 2.1
        assert mse[case] - ce[case] >= 0.3


@pytest.mark.slow
def test_first_update_norm_of_adamw_does_not_depend_on_the_readout_scale() -> None:
    """IB-07."""
    found = readings(steps.ib_07)
    assert max(of(found["ratio"], "kaiming")) <= 1.005
    assert max(of(found["ratio"], "lecun")) <= 1.04
    norms = of(found["lecun"], "789")
    assert found["ratio"]["lecun/789"] == max(norms) / min(norms)


def test_rates_are_booked_as_published_and_unused_norms_keep_their_bits() -> None:
    """IB-08."""
    found = readings(steps.ib_08)
    by_alpha = {alpha: 1e-3 / float(alpha) ** 2 for alpha in ALPHAS}
    assert found["lr_rule/eta"] == pytest.approx(by_alpha, rel=1e-12)
    assert found["lr_rule/eta_lambda"] == pytest.approx(by_alpha, rel=1e-12)
    held = found["hold/eta"]
    assert held == {eta: float(eta) for eta in held}
    assert found["hold/eta_lambda"] == pytest.approx(dict.fromkeys(held, 1e-3), rel=1e-12)
    assert set(found["change_unused"].values()) == {0}
    assert min(found["change_used"].values()) > 1e-3


@pytest.mark.slow
def test_measures_have_their_known_values() -> None:
    """IB-09. Standard errors of the two means of draws are 0.0001 and 0.027."""
    found = readings(checks.ib_09)
    assert found["concentration"]["gaussian"] == pytest.approx(0.0083, abs=0.0004)
    assert found["concentration"]["five frequencies"] == pytest.approx(3.37, abs=0.12)
    for rank, value in found["effective_rank"].items():
        assert value == pytest.approx(float(rank), rel=0.01)
    for case, value in found["exponent"].items():
        assert value == pytest.approx(float(case.partition("/")[0]), abs=0.1)
    for value in found["entropy"].values():
        assert value == pytest.approx(math.log(3), abs=1e-12)


def patch_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (checks, steps):
        monkeypatch.setattr(module, "SEEDS", (456,))


def test_ib_01_sees_another_order_and_other_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    real = checks.pair_data

    def other(config: Any) -> Any:
        data = real(replace(config, split="torch_randperm"))
        return data._replace(c=data.c.roll(1))

    monkeypatch.setattr(checks, "pair_data", other)
    found = checks.ib_01()
    assert found["n_train"]["456"] != 3831
    assert (found["first_a"]["456"], found["first_b"]["456"]) != (49, 101)
    assert found["label_errors"]["456"] > 0
    assert found["token_errors"]["456"] == 0


def test_ib_01_sees_a_row_with_another_token(monkeypatch: pytest.MonkeyPatch) -> None:
    real = checks.pair_data
    monkeypatch.setattr(
        checks, "pair_data", lambda config: real(config)._replace(b=real(config).b.roll(1))
    )
    assert checks.ib_01()["token_errors"]["456"] > 0


def test_ib_02_sees_queries_drawn_like_the_other_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    patch_seeds(monkeypatch)
    real = checks.initial_parameters

    def other(model: Transformer, seed: int) -> dict[str, Tensor]:
        return {name: (2 if name[-1] in "QKV" else 1) * x for name, x in real(model, seed).items()}

    monkeypatch.setattr(checks, "initial_parameters", other)
    assert abs(checks.ib_02()["norm"]["No LN/456"] - 31.9) > 0.2


def test_ib_03_sees_a_norm_with_an_epsilon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "PLACEMENTS", ("M",))

    def norm(self: Transformer, params: Any, name: str, x: Tensor) -> Tensor:
        config = replace(self.config.norm, eps=1e-5)
        return normalise(x, config, params[f"{name}.w"], params[f"{name}.b"])

    monkeypatch.setattr(Transformer, "norm", norm)
    assert checks.ib_03()["mlp_out"]["M"] > 1e-9


@pytest.mark.slow
def test_ib_05_sees_an_epsilon_of_adam(monkeypatch: pytest.MonkeyPatch) -> None:
    patch_seeds(monkeypatch)
    monkeypatch.setattr(steps, "LOSS_FACTORS", (0.3,))
    monkeypatch.setattr(steps, "OptimConfig", lambda eps: OptimConfig(eps=1e-8))
    assert steps.ib_05()["difference"]["456/0.3"] > 1e-4


def test_ib_08_sees_a_decay_that_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunConfig, "weight_decay", property(lambda c: c.optim.weight_decay))
    found = steps.ib_08()["hold/eta_lambda"]
    assert found["0.001"] == pytest.approx(1e-3)
    assert found["0.01"] == pytest.approx(1e-2)


def test_ib_09_sees_another_statistic(monkeypatch: pytest.MonkeyPatch) -> None:
    patch_seeds(monkeypatch)
    monkeypatch.setattr(checks, "fourier_concentration", fourier_f_statistic)
    monkeypatch.setattr(checks, "effective_rank", lambda x: (x > 1e-300).sum())
    found = checks.ib_09()
    assert abs(found["concentration"]["gaussian"] - 0.0083) > 0.0004
    assert abs(found["concentration"]["five frequencies"] - 3.37) > 0.12
    assert abs(found["effective_rank"]["5"] - 5) > 0.05
