"""``grok reproduce`` on a paper of four claims about one run of six updates."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from grok.claims import PAPERS
from grok.claims.claim import Arm, Claim, Part, at_least, at_most
from grok.claims.evidence import Evidence
from grok.cli import main
from grok.runs import RunStore
from tests.running import FLAGS, files

SWEEP = f"""\
method: grid
command: {json.dumps(["${env}", "grok", "train", "inductive_bias/layernorm", *FLAGS, "${args}"])}
parameters:
  model.norm: {{values: ["none", "M"]}}
"""
CLAIM_KEYS = ["id", "tier", "statement", "source", "published", "ours", "verdict"]


def _arm(n_steps: int) -> dict[str, Arm]:
    return {"M": Arm(sweep="mini/tiny", flags=("--model.norm=M",), n_steps=n_steps)}


def _mini(id: str, tier: Any, judge: Callable[[Evidence], Iterator[Part]], **more: Any) -> Claim:
    return Claim(id=id, tier=tier, statement=id, source="", published="1", judge=judge, **more)


def _holds(e: Evidence) -> Iterator[Part]:
    yield at_least("train loss at 4", e["M"].at("loss/train", 4), 0)


def _fails(e: Evidence) -> Iterator[Part]:
    yield at_most("accuracy at 6", e["M"].at("acc/test", 6), -1)


def _check(e: Evidence) -> Iterator[Part]:
    yield at_least("number", e.check("number"), 1)


def _gone(e: Evidence) -> Iterator[Part]:
    yield at_least("reading of a later version", e["M"].last("loss/later"), 0)


CLAIMS = (
    _mini("MI-01a", "S", _holds, arms=_arm(4)),
    _mini("MI-01b", "F", _fails, arms=_arm(6)),
    _mini("MI-02", "U", _check, check="mini.number"),
    _mini("MI-03", "R", _gone, arms=_arm(6)),
)


class Outcome:
    """What a command printed and returned."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Reproduce = Callable[..., Outcome]


@pytest.fixture(scope="module")
def papers() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        number = SimpleNamespace(number=lambda: {"number": {"only": 2.0}})
        patch.setitem(sys.modules, "mini_paper", SimpleNamespace(CLAIMS=CLAIMS))
        patch.setitem(sys.modules, "grok.claims.checks.mini", number)
        patch.setitem(PAPERS, "mini", "mini_paper")
        yield


@pytest.fixture
def reproduce(
    papers: None, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Reproduce:
    """Runs the command in a directory that has the sweep and no run."""
    (tmp_path / "sweeps/mini").mkdir(parents=True)
    (tmp_path / "sweeps/mini/tiny.yaml").write_text(SWEEP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GROK_RUNS", raising=False)

    def of(*arguments: str) -> Outcome:
        capfd.readouterr()
        code = main(["reproduce", *arguments])
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return of


@pytest.fixture(scope="module")
def trained_once(papers: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run store after the claims of tiers U and S were asked for on seed 1."""
    home = tmp_path_factory.mktemp("mini")
    (home / "sweeps/mini").mkdir(parents=True)
    (home / "sweeps/mini/tiny.yaml").write_text(SWEEP)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.delenv("GROK_RUNS", raising=False)
        # The run of MI-01a for as long as MI-01b and MI-03 need it.
        assert main(["reproduce", "mini", "--only=MI-01,MI-02", "--seeds=1", "--workers=1"]) == 1
    return home / "runs"


@pytest.fixture
def trained(trained_once: Path, reproduce: Reproduce, tmp_path: Path) -> Path:
    shutil.copytree(trained_once, tmp_path / "runs", copy_function=shutil.copy2)
    return tmp_path / "runs"


def strict_json(text: str) -> Any:
    """The one object in a text, which has no number that JSON lacks."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def verdicts(outcome: Outcome) -> dict[str, str]:
    return {claim["id"]: claim["verdict"] for claim in strict_json(outcome.out)["claims"]}


@pytest.mark.slow
def test_claims_share_a_run_and_its_readings(trained: Path) -> None:
    [run] = RunStore(trained).runs()
    assert (run.status()["status"], run.status()["step"]) == ("completed", 6)
    assert (run.config.data.p, run.config.data.split_seed) == (7, 1)
    assert run.config.tracking.mode == "disabled"


@pytest.mark.slow
def test_a_second_call_trains_nothing(reproduce: Reproduce, trained: Path) -> None:
    before = files(trained)
    outcome = reproduce("mini", "--seeds=1")
    assert outcome.code == 0
    assert "2 hold" in outcome.out
    after = {path: time for path, time in files(trained).items() if path.parent.name != "checks"}
    assert after.items() <= before.items()
    assert "runs of the claims" not in outcome.err


@pytest.mark.slow
def test_json_is_one_object_and_nothing_else(reproduce: Reproduce, trained: Path) -> None:
    outcome = reproduce("mini", "--seeds=1", "--json")
    found = strict_json(outcome.out)
    assert list(found) == ["paper", "claims"]
    assert found["paper"] == "mini"
    assert [list(claim) for claim in found["claims"]] == [CLAIM_KEYS] * 2
    assert verdicts(outcome) == {"MI-01a": "holds", "MI-02": "holds"}
    [part] = found["claims"][0]["ours"]
    [run] = RunStore(trained).runs()
    steps, losses = run.series("loss/train")
    assert part["seeds"] == {"1": losses[steps == 4].item()}
    assert (part["quantity"], part["criterion"]) == ("train loss at 4", "≥ 0")
    assert part["holds"] is True


@pytest.mark.slow
def test_a_claim_that_fails_is_exit_code_1(reproduce: Reproduce, trained: Path) -> None:
    outcome = reproduce("mini", "--only=MI-01", "--seeds=1", "--json")
    assert outcome.code == 1
    assert verdicts(outcome) == {"MI-01a": "holds", "MI-01b": "fails"}
    assert "not met" in reproduce("mini", "--only", "MI-01b", "--seeds", "1").out


@pytest.mark.slow
def test_a_reading_that_a_finished_run_lacks_is_named(reproduce: Reproduce, trained: Path) -> None:
    outcome = reproduce("mini", "--tier=R", "--seeds=1", "--json")
    assert outcome.code == 1
    [claim] = strict_json(outcome.out)["claims"]
    [run] = RunStore(trained).runs()
    assert (claim["verdict"], claim["ours"]) == ("not run", [])
    assert run.key in claim["reason"]
    assert "loss/later" in claim["reason"]


@pytest.mark.slow
def test_a_run_that_cannot_be_trained_leaves_its_claims_not_run(
    reproduce: Reproduce, trained: Path
) -> None:
    [run] = RunStore(trained).runs()
    (run.dir / "config.yaml").write_text("n_steps: many")
    outcome = reproduce("mini", "--seeds=1", "--workers=1", "--json")
    assert outcome.code == 1
    assert verdicts(outcome) == {"MI-01a": "not run", "MI-02": "holds"}
    [claim, _] = strict_json(outcome.out)["claims"]
    assert claim["reason"]
    assert f"grok: run {run.key} failed: " in outcome.err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["status.json", "readings"])
def test_damaged_files_leave_a_claim_not_run(
    name: str, reproduce: Reproduce, trained: Path
) -> None:
    [run] = RunStore(trained).runs()
    for path in [run.dir / name] if name == "status.json" else run.readings_dir.iterdir():
        path.write_bytes(b"{")
    outcome = reproduce("mini", "--only=MI-01a", "--seeds=1", "--workers=1", "--json")
    assert outcome.code == 1
    [claim] = strict_json(outcome.out)["claims"]
    assert claim["verdict"] == "not run"
    assert "damaged" in claim["reason"]


@pytest.mark.slow
def test_markdown_is_the_table_of_a_page(reproduce: Reproduce, trained: Path) -> None:
    lines = reproduce("mini", "--only=MI-01", "--seeds=1", "--markdown").out.splitlines()
    assert lines[0] == "| claim | published | ours: median [min, max] | verdict |"
    assert [line.split(" | ")[-1] for line in lines[2:]] == ["holds |", "fails |"]
    assert lines[2].startswith("| **MI-01a** (S) MI-01a | 1 | train loss at 4: ")


def test_a_check_keeps_its_readings(reproduce: Reproduce, tmp_path: Path) -> None:
    outcome = reproduce("mini", "--tier=U")
    assert outcome.code == 0
    assert "MI-02: MI-02\n" in outcome.err
    stored = json.loads((tmp_path / "runs/checks/MI-02.json").read_text())
    assert stored == {"number": {"only": 2.0}}


def test_a_check_has_one_thread_and_those_after_it_as_many_as_before(
    reproduce: Reproduce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = SimpleNamespace(number=lambda: {"number": {"threads": float(torch.get_num_threads())}})
    monkeypatch.setitem(sys.modules, "grok.claims.checks.mini", count)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert reproduce("mini", "--tier=U").code == 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    stored = json.loads((tmp_path / "runs/checks/MI-02.json").read_text())
    assert stored == {"number": {"threads": 1}}


def test_a_dry_run_shows_the_runs_and_a_time_and_trains_nothing(
    reproduce: Reproduce, tmp_path: Path
) -> None:
    outcome = reproduce("mini", "--dry-run", "--only=MI-01,MI-02", "--seeds=1,2")
    assert outcome.code == 0
    assert "3 claims need 2 runs, of which 0 are done; about " in outcome.out
    assert [line.split()[1:] for line in outcome.out.splitlines()[1:3]] == [["new", "0", "6"]] * 2
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_as_json_lists_claims_and_runs(reproduce: Reproduce) -> None:
    found = strict_json(reproduce("mini", "--dry-run", "--tier=S,U", "--json").out)
    assert list(found) == ["paper", "claims", "seconds", "runs"]
    assert found["claims"] == ["MI-01a", "MI-02"]
    assert len({row["run"] for row in found["runs"]}) == 3  # the seeds of tier S
    assert {row["state"] for row in found["runs"]} == {"new"}
    assert {row["n_steps"] for row in found["runs"]} == {4}
    assert found["seconds"] > 0


PAPERS_THERE = "inductive-bias, progress-measures, effective-theory, norm-growth, mini"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], f"which paper? There are: {PAPERS_THERE}"),
        (["maxi"], f"no claims of a paper 'maxi'; there are: {PAPERS_THERE}"),
        (["mini", "--tier=U,Q"], "no tier 'Q'; there are: U, S, R, F"),
        (["mini", "--tier="], "mini has no claim of tier"),
        (["mini", "--only=MI-4"], "no claim 'MI-4'; there are: MI-01a, MI-01b, MI-02, MI-03"),
        (["mini", "--seeds=1,x"], "seeds=x: expected whole numbers, 0 or more, such as 456,789"),
        (["mini", "--seeds=-1"], "seeds=-1: expected whole numbers, 0 or more, such as 456,789"),
        (["mini", "--workers=0"], "workers=0 must be 1 or more"),
        (["mini", "--what"], "--what"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_one_line(
    arguments: list[str], message: str, reproduce: Reproduce, tmp_path: Path
) -> None:
    outcome = reproduce(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("grok: ")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err
    assert not (tmp_path / "runs").exists()


def test_help_names_papers_tiers_and_exit_codes(reproduce: Reproduce) -> None:
    outcome = reproduce("--help")
    assert outcome.code == 0
    flags = ("tier", "only", "seeds", "workers", "runs_dir", "dry-run", "json", "markdown")
    assert all(f"--{name}" in outcome.out for name in (*flags, "debug"))
    assert "PAPER: inductive-bias" in outcome.out
    assert "Exit code 0: every claim asked for holds; 1:" in outcome.out
