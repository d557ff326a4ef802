"""Readings of stored runs as claims ask for them."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grok.claims.evidence import ArmEvidence, Evidence, NotRun, common
from grok.runs import ReadingsWriter, Run, RunStore, write_status
from tests.builders import tiny

LOSS = {0: 4.0, 10: 2.0, 20: 0.5, 30: 0.1, 40: 3.0}


def stored(root: Path, values: Mapping[int, float], seed: int = 0, **status: Any) -> Run:
    """A run of 40 updates with these readings of the test loss."""
    run = RunStore(root).create(tiny(split_seed=seed, init_seed=seed))
    writer = ReadingsWriter(run)
    for step, value in values.items():
        writer.add(step, {"loss/test": value})
    writer.flush()
    write_status(run, **({"status": "completed", "step": 40} | status))
    return run


def arm(root: Path, values: Mapping[int, float], n_steps: int = 40, **status: Any) -> ArmEvidence:
    return ArmEvidence({7: stored(root, values, **status)}, n_steps)


def reached(evidence: ArmEvidence, threshold: float) -> float:
    return evidence.reached("loss/test", threshold, "below").values["7"]


def test_what_a_run_did_beyond_the_claims_horizon_is_not_looked_at(tmp_path: Path) -> None:
    evidence = arm(tmp_path, LOSS, n_steps=20)
    assert evidence.last("loss/test").values == {"7": 0.5}
    assert evidence.each("loss/test", lambda s, v: v.min()).values == {"7": 0.5}
    assert reached(evidence, 0.5) == 20
    assert reached(evidence, 0.1) == math.inf
    assert evidence.reached("loss/test", 0.1, "below").n_censored == 1


def test_an_onset_that_a_diverged_run_did_not_reach_is_unknown(tmp_path: Path) -> None:
    evidence = arm(tmp_path, {0: 4.0, 10: 2.0}, status="diverged", step=15)
    assert reached(evidence, 2.0) == 10
    assert math.isnan(reached(evidence, 1.0))
    assert evidence.reached("loss/test", 1.0, "below").n_censored == 0


def test_an_onset_among_readings_that_are_no_numbers_is_unknown(tmp_path: Path) -> None:
    evidence = arm(tmp_path, LOSS | {20: math.nan, 30: math.nan})
    assert reached(evidence, 2.0) == 10
    assert math.isnan(reached(evidence, 0.5))


@pytest.mark.parametrize("step", [15, 50])
def test_a_step_that_was_not_read_is_named_with_run_and_key(step: int, tmp_path: Path) -> None:
    evidence = arm(tmp_path, LOSS)
    with pytest.raises(NotRun, match=f"{evidence.runs['7'].key} .* loss/test at step {step}"):
        evidence.at("loss/test", step)


def test_a_key_that_was_never_read_is_named_with_its_run(tmp_path: Path) -> None:
    evidence = arm(tmp_path, LOSS)
    with pytest.raises(NotRun, match=f"{evidence.runs['7'].key}: no reading 'loss/tset'"):
        evidence.reached("loss/tset", 1.0)


def test_a_function_of_the_whole_run_asks_for_its_last_reading(tmp_path: Path) -> None:
    evidence = arm(tmp_path, {0: 4.0, 10: 2.0})
    with pytest.raises(NotRun, match="loss/test at step 40"):
        evidence.each("loss/test", lambda s, v: v.min())


def test_a_mean_over_steps_asks_for_each_of_them(tmp_path: Path) -> None:
    evidence = arm(tmp_path, {1: 1.0, 2: 2.0, 3: 6.0, 5: 7.0})
    assert evidence.mean_over_steps("loss/test", 1, 3).values == {"7": 3.0}
    with pytest.raises(NotRun, match="has not read loss/test at every step to 5"):
        evidence.mean_over_steps("loss/test", 1, 5)


def test_a_window_has_both_ends_and_something_in_it(tmp_path: Path) -> None:
    evidence = arm(tmp_path, LOSS)
    assert evidence.window("loss/test", 10, 30)["7"].tolist() == [2.0, 0.5, 0.1]
    with pytest.raises(NotRun, match="from step 31"):
        evidence.window("loss/test", 31, 39)


def test_series_are_compared_at_the_steps_of_both() -> None:
    x = np.array([0, 10, 20, 30]), np.array([0.0, 1.0, 2.0, 3.0])
    y = np.array([10, 15, 30, 40]), np.array([5.0, 6.0, 7.0, 8.0])
    steps, of_x, of_y = common(x, y)
    assert (steps.tolist(), of_x.tolist(), of_y.tolist()) == ([10, 30], [1.0, 3.0], [5.0, 7.0])


def test_readings_of_a_check_are_found_by_the_beginning_of_their_case() -> None:
    evidence = Evidence({}, {"norm": {"relu/1": 1.0, "relu/2": 2.0, "gelu/1": 3.0}})
    assert evidence.check("norm", "relu").values == {"relu/1": 1.0, "relu/2": 2.0}
    assert len(evidence.check("norm").values) == 3
    with pytest.raises(NotRun, match="no reading of norm tanh"):
        evidence.check("norm", "tanh")
    with pytest.raises(NotRun, match=r"no reading of loss$"):
        evidence.check("loss")
