"""Series of a tiny T5 whose growth has a closed form (Merrill et al. 2021, section 3)."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from grok.config.schema import OptimConfig
from grok.offline.curve import Curve, read_curve
from grok.offline.growth import growth_of
from grok.offline.parameters import set_norms
from grok.offline.series import series_of
from tests.hugging import STEPS, growing, initial, norm_of, of_encoder, t5, t5_series

T = np.array(STEPS, dtype=np.float64)


def curve_of(folder: Path, **options: Any) -> Curve:
    curve = read_curve(series_of(str(folder)), **options)
    assert not curve.problems
    return curve


def test_a_norm_that_grows_as_the_root_along_itself_has_the_closed_form(tmp_path: Path) -> None:
    curve = curve_of(t5_series(tmp_path, growing))
    growth = growth_of(curve, OptimConfig(lr=1.0))
    assert curve.layout == "t5"
    first = {name: found.columns["norm/theta"][0] for name, found in growth.items()}
    b = norm_of(initial())
    for name in ("encoder", "layer.0", "layer.1"):
        columns, share = growth[name].columns, first[name] / b
        norms = share * (b + np.sqrt(T))
        deltas = share * np.diff(np.sqrt(T))
        closed = {
            "norm/theta": norms,
            "norm/delta": [np.nan, *deltas],
            "dir/cos_prev": [np.nan, *np.ones(7)],
            "align/theta_delta": [np.nan, *np.ones(7)],
            "norm/pyth_ratio": [np.nan, *((norms[1:] + norms[:-1]) / deltas)],
            "norm/cum_delta_sq": [0, *np.square(deltas).cumsum()],
            "norm/misaligned_share": [
                np.nan,
                *(np.square(deltas).cumsum() / (norms[1:] ** 2 - norms[0] ** 2)),
            ],
        }
        assert columns.keys() == closed.keys()
        for key, values in closed.items():
            np.testing.assert_allclose(columns[key], values, rtol=1e-9, err_msg=f"{name} {key}")
        law = growth[name].law
        assert law is not None
        assert law.affine["sqrt"].r2 == pytest.approx(1, abs=1e-12)
        assert law.affine["sqrt"].slope == pytest.approx(share)
        assert law.affine["sqrt"].intercept == pytest.approx(first[name])
        assert law.power.p == pytest.approx(0.5, abs=1e-5)
    assert first["encoder"] == pytest.approx(b)
    assert np.ptp(growth["decoder"].columns["norm/theta"]) == 0


def test_the_sets_have_the_parameters_that_their_names_say(tmp_path: Path) -> None:
    curve = curve_of(t5_series(tmp_path, lambda _, name, x: x, [0]), include="relative")
    size = {name: x.numel() for name, x in initial().items()}
    n, of = curve.n_weights, lambda start: sum(s for x, s in size.items() if x.startswith(start))
    layers = [name for name in n if "layer." in name]
    assert layers == ["layer.0", "layer.1", "decoder.layer.0", "decoder.layer.1"]
    assert n["all"] == sum(size.values()) == sum(p.numel() for p in t5().parameters())
    assert n["encoder"] == of("encoder.block.") + 32  # and the gains of the final norm
    assert n["decoder"] == of("decoder.block.") + 32
    assert n["encoder+decoder"] == n["encoder"] + n["decoder"] == n["all"] - 128 * 32
    assert n["layer.0"] == n["layer.1"] + 8 * 4  # the table of relative positions
    assert n["layer.0"] + n["layer.1"] + 32 == n["encoder"]
    assert n["chosen"] == 2 * 8 * 4


def test_norms_of_one_checkpoint_are_those_of_a_curve(tmp_path: Path) -> None:
    curve = curve_of(t5_series(tmp_path, growing, [0]))
    first = {name: curve.columns(name)["norm/theta"][0] for name in curve.n_weights}
    assert set_norms(initial()) == pytest.approx(first, rel=1e-14)


def test_independent_steps_are_at_right_angles_to_what_came_before(tmp_path: Path) -> None:
    """Steps as long as the first norm. Bounds are five standard deviations of the draw."""
    n = sum(x.numel() for name, x in initial().items() if of_encoder(name))
    rms, generator = norm_of(initial()) / math.sqrt(n), torch.Generator().manual_seed(1)
    now = initial()

    def walking(step: int, name: str, x: Tensor) -> Tensor:
        if step and of_encoder(name):
            now[name] = now[name] + rms * torch.randn(x.shape, generator=generator).double()
        return now[name]

    curve = curve_of(t5_series(tmp_path, walking))
    found = growth_of(curve, OptimConfig(lr=1.0))["encoder"]
    columns = found.columns
    assert np.abs(columns["align/theta_delta"][1:]).max() < 5 / math.sqrt(n)
    # 2 Σ θ·δ over Σ ‖δ‖² has the standard deviation 2 √(Σ ‖θ‖²) / (7 n rms) = 2 √28 / (7 √n).
    spread = 5 * 2 * math.sqrt(28) / (7 * math.sqrt(n))
    assert columns["norm/misaligned_share"][-1] == pytest.approx(1, abs=spread)
    assert columns["norm/theta"][-1] / columns["norm/theta"][0] == pytest.approx(8**0.5, rel=spread)
    squares = columns["norm/theta"] ** 2
    # R² of a line lacks 1 at most the share of the squared error in the spread of 0 ... 7.
    error = np.polyfit(T, squares, 1, full=True)[1][0] / np.square(squares - squares.mean()).sum()
    assert error < spread**2
    assert found.law is not None
    assert found.law.square.r2 > 1 - spread**2
    assert found.dynamics["measured"].r2 > 1 - spread**2


def test_the_encoder_does_not_move_where_only_the_embedding_does(tmp_path: Path) -> None:
    def embedding(step: int, name: str, x: Tensor) -> Tensor:
        return x * (1 + step / 100) if name == "shared.weight" else x

    growth = growth_of(curve_of(t5_series(tmp_path, embedding)), OptimConfig(lr=1.0))
    still = growth["encoder"]
    assert len(set(still.columns["norm/theta"])) == 1
    assert still.columns["norm/delta"][1:].max() == 0
    assert still.columns["dir/cos_prev"][1:] == pytest.approx(1, abs=1e-15)
    assert np.isnan(still.columns["align/theta_delta"]).all()
    assert still.law is not None
    assert math.isnan(still.law.affine["sqrt"].r2)
    norms = growth["all"].columns["norm/theta"]
    others = norm_of(initial(), lambda name: name != "shared.weight")
    table = norm_of(initial(), lambda name: name == "shared.weight")
    np.testing.assert_allclose(norms, np.hypot(others, table * (1 + T / 100)), rtol=1e-13)


def test_two_checkpoints_have_a_step_and_no_law(tmp_path: Path) -> None:
    found = growth_of(curve_of(t5_series(tmp_path, growing, [0, 100])), OptimConfig(lr=1.0))
    assert found["encoder"].law is None
    assert found["encoder"].dynamics == {}
    assert found["encoder"].columns["norm/delta"][1] == pytest.approx(10)
