"""``grok theory`` as a user sees it."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from grok.cli.theory import _Progress
from grok.data.toy import toy_data
from grok.data.toy_config import ToyConfig
from grok.metrics.parallelograms import nullity
from grok.metrics.samples import addition_samples
from grok.theory.critical import critical_fraction
from tests.running import Result, command

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}

Theory = Callable[..., Result]


@pytest.fixture
def theory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Theory:
    """Runs the command in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def of(*arguments: str) -> Result:
        return command(capsys, "theory", *arguments)

    return of


def json_of(outcome: Result) -> Any:
    assert (outcome.code, outcome.err) == (0, "")
    return json.loads(outcome.out)


def test_the_critical_fraction_is_that_of_the_library(theory: Theory) -> None:
    found = json_of(theory("critical-fraction", "--p=6", "--draws=300", "--seed=2", "--json"))
    expected = critical_fraction(6, 300, 2)
    assert found["n"] == list(range(1, 22))
    assert found["probability"] == expected.probability.tolist()
    assert found["error"] == expected.error.tolist()
    assert (found["n_half"], found["r_half"]) == (expected.n_half, expected.r_half)
    assert (found["p"], found["draws"], found["seed"]) == (6, 300, 2)


def test_the_spectrum_of_the_whole_table(theory: Theory) -> None:
    found = json_of(theory("spectrum", "--p=12", "--json"))
    assert found["eigenvalues"][:2] == [0, 0]
    assert found["lambda_3"] == found["eigenvalues"][2] == pytest.approx(2 * 42 / 12)
    assert (found["nullity"], found["p"], found["n"]) == (2, 12, 78)
    assert (found["normalization"], found["z0"], found["n_parallelograms"]) == ("sum", 12, 125)
    assert found["predicted_steps"] == pytest.approx(1 / (7 * 3e-4))
    assert (found["ideal_rqi"], found["ideal_accuracy"]) == (1, 1)
    assert found["ideal_validation_accuracy"] is None
    mean = json_of(theory("spectrum", "--p=12", "--normalization=mean", "--json"))
    assert mean["lambda_3"] == pytest.approx(7 / 125)


def test_the_spectrum_of_a_drawn_training_set(theory: Theory) -> None:
    found = json_of(theory("spectrum", "--n=45", "--seed=0", "--order=train_add", "--json"))
    assert found["ideal_validation_accuracy"] == 0.5
    assert found["n_parallelograms"] == 50
    assert found["lambda_3"] == pytest.approx(15.55 / 5, abs=1e-3)
    published = json_of(theory("spectrum", "--n=45", "--seed=58", "--json"))
    assert published["lambda_3"] == pytest.approx(13.14 / 5, abs=1e-3)


def test_a_rate_of_0_means_no_steps(theory: Theory) -> None:
    found = json_of(theory("spectrum", "--n=10", "--order=train_add", "--json"))
    mask = torch.zeros(55, dtype=torch.bool)
    mask[toy_data(ToyConfig(n_train=10), "mse", 0).train] = True
    assert found["nullity"] == int(nullity(mask, addition_samples(10))) == 8
    assert (found["lambda_3"], found["predicted_steps"]) == (0, None)
    assert "steps 1/(lambda_3 eta)     never" in theory("spectrum", "--n=10").out
    whole = json_of(theory("spectrum", "--n=10", "--parallelograms=all", "--json"))
    assert whole["lambda_3"] == pytest.approx(6)


def test_the_flow_of_seed_9_is_figure_4(theory: Theory) -> None:
    found = json_of(theory("flow", "--seed=9", "--json"))
    assert found["rqi_step"] == 1628
    assert found["steps"] == list(range(0, 2001, 20))
    at = found["embedding"][found["steps"].index(1000)]
    curve = [-1.303, -1.273, -0.821, -0.448, -0.308, 0.119, 0.400, 0.928, 1.262, 1.443]
    assert at == pytest.approx(curve, abs=1e-3)
    assert found["z0"] == pytest.approx(9)
    assert len(found["rqi"]) == len(found["effective_loss"]) == 101
    assert found["effective_loss"] == sorted(found["effective_loss"], reverse=True)


def test_a_short_flow_names_each_step_once_and_reaches_nothing(theory: Theory) -> None:
    found = json_of(theory("flow", "--steps=3", "--n=12", "--eta=0.01", "--json"))
    assert found["steps"] == [0, 1, 2, 3]
    assert (found["rqi_step"], found["n"], found["eta"]) == (None, 12, 0.01)
    assert "RQI > 0.95                 not within 3 steps" in theory("flow", "--steps=3").out


def test_a_table_and_a_plot_are_printed(theory: Theory) -> None:
    critical = theory("critical-fraction", "--p=6", "--draws=200")
    expected = critical_fraction(6, 200)
    assert f"P = 1/2 at n = {expected.n_half:.2f} of 21, r = {expected.r_half:.3f}" in critical.out
    assert critical.out.count("*") > 10
    row = next(line.split() for line in critical.out.splitlines() if line.startswith("13 "))
    assert row[:3] == ["13", "0.619", f"{float(expected.probability[12]):.4f}"]
    spectrum = theory("spectrum", "--p=12")
    assert "12  " in spectrum.out
    assert spectrum.out.count("#" * 30) == 1  # the largest eigenvalue
    assert "ideal validation accuracy  no validation samples" in spectrum.out
    assert "parallelograms             125 (train), sum, Z0 = 12" in spectrum.out
    flow = theory("flow", "--seed=9")
    assert "1,000  0.4254    0.271  -1.303" in flow.out
    assert "RQI > 0.95                 step 1,628" in flow.out
    assert all(str(symbol) in flow.out.split("embedding of each symbol")[1] for symbol in range(10))


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
@pytest.mark.parametrize("kind", ["critical-fraction", "spectrum", "flow"])
def test_a_figure_is_written_beside_the_numbers(kind: str, suffix: str, theory: Theory) -> None:
    outcome = theory(kind, "--p=5", f"--plot=figure{suffix}", "--json")
    assert json_of(outcome)["p"] == 5
    assert Path(f"figure{suffix}").read_bytes().startswith(MAGIC[suffix])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["spectra"], "no theory of 'spectra'; there are: critical-fraction, spectrum, flow"),
        (["spectrum", "--p=2"], "p=2: allowed are 3 to 100"),
        (["spectrum", "--p=101"], "p=101: allowed are 3 to 100"),
        (["spectrum", "--n=56"], "n=56: allowed are 1 to 55"),
        (["flow", "--n=0"], "n=0: allowed are 1 to 55"),
        (["flow", "--seed=-1"], "seed=-1: allowed are 0 to 4,294,967,295"),
        (["flow", "--steps=0"], "steps=0: allowed are 1 to 1,000,000"),
        (["flow", "--eta=0"], "eta=0: must be positive and finite"),
        (["flow", "--eta=nan"], "eta=nan: must be positive and finite"),
        (["critical-fraction", "--draws=0"], "draws=0: allowed are 1 to 1,000,000"),
        (["critical-fraction", "--n=5"], "unrecognized arguments: --n=5"),
        (["spectrum", "--normalization=max"], "invalid choice: 'max'"),
        (["spectrum", "--plot=a.jpg"], "plot=a.jpg: must end in .png, .svg, .pdf"),
        (["spectrum", "--plot=no/a.png"], "plot=no/a.png: there is no folder no"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_one_line(
    arguments: list[str], message: str, theory: Theory
) -> None:
    outcome = theory(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("grok: ")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


def test_help_has_every_flag_and_a_bare_call_shows_it_too(theory: Theory) -> None:
    outcome = theory("--help")
    flags = ("draws", "steps", "n", "order", "parallelograms", "normalization", "eta", "p", "seed")
    assert outcome.code == 0
    assert all(f"--{flag}=" in outcome.out for flag in (*flags, "plot"))
    assert "--json" in outcome.out
    assert theory("flow", "--help") == outcome
    assert theory() == (2, outcome.out, "")


def test_only_work_of_seconds_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    progress = _Progress("draws")
    for second in (3, 6, 7):
        clock[0] = 100.0 + second
        progress.tell(second / 10)
    progress.end()
    assert capsys.readouterr().err == "  60% of the draws\n"


def test_no_global_stream_is_touched(theory: Theory) -> None:
    before = torch.random.get_rng_state()
    for kind in ("critical-fraction", "spectrum", "flow"):
        assert theory(kind, "--p=5").code == 0
    assert torch.equal(torch.random.get_rng_state(), before)
    assert math.isfinite(json_of(theory("flow", "--p=5", "--json"))["lambda_3"])
