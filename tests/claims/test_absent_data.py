"""Claims whose data are not on this machine are not run, and say what is missing."""

import json
import re
import sys
from pathlib import Path

import pytest

from grok.claims.plan import absent_data, make_plan
from grok.claims.reproduce import judged
from grok.cli import main
from grok.config import RunConfig, run_key
from grok.runs import RunStore, write_status
from tests.claims.published_images import PUBLISHED
from tests.claims.store import CLAIMS, write_readings
from tests.images import digits_run, mnist_run, needs_digits, small_mnist


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No data of a laboratory, and a run store of its own."""
    monkeypatch.delenv("GROK_DATA", raising=False)
    monkeypatch.setenv("GROK_RUNS", str(tmp_path / "runs"))


@needs_digits
def test_files_that_are_missing_are_named_once_for_every_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configs = [RunConfig(), digits_run(), mnist_run(0), mnist_run(1)]
    found = absent_data(configs)
    assert list(found) == [run_key(config) for config in configs[2:]]
    [reason] = set(found.values())
    assert reason.startswith("images.directory is empty and GROK_DATA is not set")
    folder = small_mnist(tmp_path / "mnist", monkeypatch)
    monkeypatch.setenv("GROK_DATA", str(tmp_path))
    assert absent_data(configs) == {}
    (folder / "t10k-labels-idx1-ubyte").unlink()
    for reason in absent_data(configs).values():
        assert reason.startswith(f"no file {folder}/t10k-labels-idx1-ubyte: put MNIST's")


def test_digits_without_scikit_learn_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    [reason] = absent_data([digits_run()]).values()
    assert "scikit-learn is not installed" in reason


def test_a_claim_without_its_data_is_not_run_and_says_why_in_one_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ["reproduce", "effective-theory", "--only=ET-D5,ET-D6"]
    assert main([*command, "--json"]) == 1
    captured = capfd.readouterr()
    for claim in json.loads(captured.out)["claims"]:
        assert (claim["verdict"], claim["ours"]) == ("not run", [])
        assert claim["reason"].startswith("images.directory is empty and GROK_DATA is not set")
        assert "\n" not in claim["reason"]
    assert captured.err == ""
    assert not (tmp_path / "runs").exists()
    assert main([*command, "--dry-run"]) == 0
    last = capfd.readouterr().out.splitlines()[-1]
    assert last.startswith("some of them cannot be trained: images.directory is empty")


@pytest.mark.slow
def test_files_that_are_not_those_of_mnist_are_the_reason_of_the_claim(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for path in small_mnist(tmp_path / "mnist", monkeypatch).iterdir():
        path.write_bytes(b"not an image")
    monkeypatch.setenv("GROK_DATA", str(tmp_path))
    command = ["reproduce", "effective-theory", "--only=ET-D6", "--seeds=1", "--workers=1"]
    assert main([*command, "--json"]) == 1
    [claim] = json.loads(capfd.readouterr().out)["claims"]
    assert claim["verdict"] == "not run"
    assert re.fullmatch(
        r"mnist-s1-\w+ failed: \S+-ubyte: starts with too few bytes, expected .*", claim["reason"]
    )


def test_what_is_stored_needs_no_data_and_what_is_not_says_why(tmp_path: Path) -> None:
    claim = CLAIMS["ET-D6"]
    plan = make_plan([claim])
    for arm, curves in PUBLISHED["ET-D6"].items():
        for config in plan.cells["ET-D6", arm].values():
            run = RunStore(tmp_path / "runs").create(config)
            write_readings(run, config, {key: curve(0) for key, curve in curves.items()})
            write_status(run, status="completed", step=config.n_steps, n_steps=config.n_steps)
    lost = {run_key(config): "no data" for config in plan.configs}
    assert judged(claim, plan, tmp_path / "runs", lost=lost).verdict == "holds"
    found = judged(claim, plan, tmp_path / "elsewhere", lost=lost)
    assert (found.verdict, found.reason) == ("not run", "no data")
    assert "is not in" in judged(claim, plan, tmp_path / "elsewhere").reason
