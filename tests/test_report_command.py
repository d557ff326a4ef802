"""``grok report``, and the page at the end of ``grok train``."""

from pathlib import Path

import pytest

from grok.claims import select
from grok.config import parse_run
from grok.runs import RunStore
from grok.sweep import read_sweep
from tests.report.stores import config_of, grokking, store_run
from tests.running import FLAGS, command

DIAGRAM = "effective_theory/addition_four_rates"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two runs of an experiment's sweep."""
    for seed in (1, 2):
        store_run(tmp_path / "runs", config_of(f"--seed={seed}"), grokking(100 * seed))
    return tmp_path / "runs"


def test_a_run_has_its_page_in_its_folder(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = RunStore(store).runs()[0]
    for word in (run.key, run.key[:-3], str(run.dir)):
        (run.dir / "report.html").unlink(missing_ok=True)
        done = command(capsys, "report", word, f"--runs_dir={store}")
        assert done.code == 0
        assert done.out == f"{run.dir}/report.html\n"
        assert run.key in (run.dir / "report.html").read_text()


def test_several_runs_and_all_runs_are_compared(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [run.key for run in RunStore(store).runs()]
    for words in (keys, []):
        done = command(capsys, "report", *words, f"--runs_dir={store}")
        text = Path(done.out.strip()).read_text()
        assert 'data-kind="sweep"' in text
        assert "<dd>2</dd>" in text
        assert Path(done.out.strip()).parent == store.resolve() / "reports"


def test_a_name_of_both_kinds_is_the_sweep_if_several_of_its_runs_are_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--data.p=7", "--n_steps=1000"]
    store_run(tmp_path, parse_run("inductive_bias/weight_decay", flags), grokking(300))
    words = ["report", "weight_decay", *flags, f"--runs_dir={tmp_path}", "-o", f"{tmp_path}/x.html"]
    assert command(capsys, *words).code == 0
    assert 'data-kind="run"' in (tmp_path / "x.html").read_text()
    for cell in read_sweep("inductive_bias/weight_decay").runs(flags)[:3]:
        store_run(tmp_path, cell.config, grokking(300))
    assert command(capsys, *words).code == 0
    text = (tmp_path / "x.html").read_text()
    assert 'data-kind="sweep"' in text
    assert "runs are not stored" in text


def test_a_sweep_over_two_fields_is_a_diagram(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = read_sweep(DIAGRAM).cells([])
    steps = [0, 100, 2000]
    for cell in cells[:4]:
        curves = {
            "acc/train": (steps, [0.0, 1.0, 1.0]),
            "acc/test": (steps, [0.0, 0.0, 1.0]),
            "repr/rqi": (steps, [0.1, 0.5, 0.99]),
        }
        store_run(tmp_path, cell.config, curves)
    words = ["report", DIAGRAM, "--diagram", f"--runs_dir={tmp_path}", "-o", f"{tmp_path}/x.html"]
    assert command(capsys, *words).code == 0
    text = (tmp_path / "x.html").read_text()
    assert 'data-kind="diagram"' in text
    assert f"{len(cells) - 4} runs are not stored" in text


@pytest.mark.slow
def test_a_paper_has_its_claims_and_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = select("inductive-bias", (), ("IB-01", "IB-24"))
    monkeypatch.setattr("grok.claims.claims_of", lambda paper: some)
    store = f"--runs_dir={tmp_path}"
    done = command(capsys, "report", "inductive_bias", store, "-o", f"{tmp_path}/x.html")
    assert done.code == 0
    text = (tmp_path / "x.html").read_text()
    assert "IB-01" in text
    assert 'class="not-run"' in text
    assert "grok sweep run inductive_bias/readout_scale" in text
    assert 'href="#figure-5"' in text
    assert 'id="figure-5"' in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing_of_that_name"], "no run, sweep, experiment or paper"),
        (["weight_decay"], "is not stored in"),
        (["weight_decay", "--against=fig6a"], "--against needs --diagram"),
        (["weight_decay", "oops", "--diagram"], "no run"),
        (["weight_decay", "--x"], "--x is not understood"),
        (["weight_decay", "--diagram"], "a diagram has two axes"),
        (["inductive-bias", "--seeds=a"], "expected whole numbers"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = command(capsys, "report", *words, f"--runs_dir={tmp_path}")
    assert done.code == 2
    assert said in done.err.splitlines()[-1]
    assert not list(tmp_path.rglob("*.html"))


def test_an_empty_store_gives_a_page_that_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = command(capsys, "report", f"--runs_dir={tmp_path}")
    assert done.code == 0
    assert "there are no runs with readings" in Path(done.out.strip()).read_text()


def test_a_file_that_cannot_be_written_is_one_line(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = store / "file"
    file.touch()
    done = command(capsys, "report", f"--runs_dir={store}", "-o", f"{file}/x.html")
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith(f"grok: {file}")


def test_training_ends_with_the_page_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "weight_decay", *FLAGS, "--n_steps=5", f"--runs_dir={tmp_path}"]
    done = command(capsys, *words, "--no-report")
    (run,) = RunStore(tmp_path).runs()
    assert not (run.dir / "report.html").exists()
    done = command(capsys, *words)
    assert done.out.splitlines()[-1] == str(run.dir / "report.html")
    assert run.key in (run.dir / "report.html").read_text()
    (run.dir / "report.html").unlink()
    (run.dir / "report.html").mkdir()
    done = command(capsys, *words)
    assert done.code == 0
    assert "no report" in done.err
