"""Fits to the norms of a stored run, by window."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grok.config import RunConfig
from grok.config.schema import OptimConfig
from grok.keys import find_key
from grok.runs import ReadingsWriter, Run, RunStore, growth, window_fits, write_status
from grok.runs.growth import learning_rates
from grok.runs.summary import summary
from grok.theory.norm_fits import norm_fits

STEPS = np.arange(0, 401, 20)
NORMS = np.where(STEPS <= 200, np.sqrt(9 + 0.4 * STEPS), np.sqrt(89) - 0.01 * (STEPS - 200.0))
"""A norm that grows like a root to step 200 and falls from there."""
SQUARES = 0.4 * STEPS


def store(folder: Path, readings: dict[str, np.ndarray], **optim: Any) -> Run:
    """A run with readings at the steps, NaN standing for none."""
    config = RunConfig(optim=replace(OptimConfig(), lr=1e-2, **optim))
    run = RunStore(folder).create(config)
    writer = ReadingsWriter(run)
    for i, step in enumerate(STEPS.tolist()):
        writer.add(step, {k: float(x[i]) for k, x in readings.items() if not np.isnan(x[i])})
    writer.flush()
    write_status(run, status="completed", step=int(STEPS[-1]))
    return run


def dynamics(name: str = "encoder", norms: np.ndarray = NORMS) -> dict[str, np.ndarray]:
    return {f"norm/theta/{name}": norms, f"norm/cum_delta_sq/{name}": SQUARES}


def test_fits_are_those_of_the_readings_in_each_window(tmp_path: Path) -> None:
    accuracies = {
        "acc/train": (STEPS >= 100) * 1.0,
        "acc/test": np.where(STEPS >= 320, 1.0, np.where(STEPS >= 240, 0.5, 0.0)),
    }
    run = store(tmp_path, dynamics() | accuracies)
    found, rates = growth(run), np.full(400, 1e-2)
    windows = {"": 400, "/peak": 200, "/train_acc_99": 100, "/test_acc_50": 240,
               "/test_acc_99": 320}  # fmt: skip
    for suffix, last in windows.items():
        part = last >= STEPS
        for what, x in norm_fits(STEPS[part], NORMS[part], rates, SQUARES[part]).items():
            assert found[f"fit/encoder/{what}{suffix}"] == x, (what, suffix)
    assert found["fit/encoder/r2_square/peak"] == pytest.approx(1)
    assert found["fit/encoder/r2_square"] < 0.9
    assert found["fit/encoder/r2_measured/peak"] == pytest.approx(1)
    assert (found["fit/encoder/peak_step"], found["fit/encoder/peak_lag"]) == (200, 120)
    assert {key.split("/")[1] for key in found} == {"encoder"}
    for key in found:
        row = find_key(key)
        assert row is not None
        assert row.family == "summary"
    assert summary(run)["growth"] == found


def test_a_window_may_begin_later(tmp_path: Path) -> None:
    run = store(tmp_path, dynamics())
    part = (STEPS >= 100) & (STEPS <= 200)
    expected = norm_fits(STEPS[part], NORMS[part], np.full(400, 1e-2), SQUARES[part])
    assert window_fits(run, "encoder", 100, 200) == expected
    assert window_fits(run, "encoder", 390) == {}
    with pytest.raises(ValueError, match=r"no norm dynamics of mlp: see measures\.dynamics\.sets"):
        window_fits(run, "mlp")


def test_without_sums_or_milestones_there_is_nothing_to_fit(tmp_path: Path) -> None:
    assert growth(store(tmp_path / "a", {"norm/theta/all": NORMS})) == {}
    found = growth(store(tmp_path / "b", dynamics() | {"acc/test": np.zeros(len(STEPS))}))
    assert {key.count("/") for key in found} == {2, 3}
    assert {key.split("/")[3] for key in found if key.count("/") == 3} == {"peak"}
    assert "fit/encoder/peak_lag" not in found


def test_readings_of_norm_and_sums_may_lie_at_different_steps(tmp_path: Path) -> None:
    sparse = np.where(STEPS % 100 == 0, SQUARES, np.nan)
    run = store(tmp_path, {"norm/theta/all": NORMS, "norm/cum_delta_sq/all": sparse})
    both = STEPS % 100 == 0
    expected = norm_fits(STEPS[both], NORMS[both], np.full(400, 1e-2), SQUARES[both])
    assert window_fits(run, "all") == expected


def test_a_run_that_diverged_is_fitted_where_its_norm_is_a_number(tmp_path: Path) -> None:
    norms, last = NORMS.copy(), STEPS == 400
    norms[last] = np.inf
    found = growth(store(tmp_path, dynamics(norms=norms)))
    assert found["fit/encoder/peak_step"] == 200
    before = ~last
    expected = norm_fits(STEPS[before], NORMS[before], np.full(400, 1e-2), SQUARES[before])
    assert found["fit/encoder/p"] == expected["p"]


def test_rates_are_those_of_the_schedule_and_of_the_set(tmp_path: Path) -> None:
    run = store(
        tmp_path,
        dynamics("all") | dynamics("embed") | dynamics("encoder"),
        schedule="inverse_sqrt",
        flat_steps=100,
        embed_lr=3e-2,
    )
    factor = np.sqrt(100 / np.maximum(np.arange(400) + 1, 100))
    for name, rate in (("encoder", 1e-2), ("embed", 3e-2), ("unembed", 1e-2)):
        rates = learning_rates(run, name, 400)
        assert rates is not None
        np.testing.assert_allclose(rates, rate * factor, rtol=1e-14)
    assert learning_rates(run, "all", 400) is None
    found = growth(run)
    assert "fit/all/p" in found
    assert "fit/all/r2_aligned" not in found
    assert found["fit/embed/kappa_measured"] == pytest.approx(
        found["fit/encoder/kappa_measured"] / 3
    )
