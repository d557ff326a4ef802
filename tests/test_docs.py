"""The code and the commands that the pages show are run, so that they cannot rot."""

import re
import shlex
from pathlib import Path

import pytest

from grok.cli import main
from grok.formats import write_checkpoint
from grok.sweep import read_sweep
from tests.fake_hub import FakeHub, empty_cache
from tests.fourier_network import fourier_config, fourier_parameters
from tests.hugging import t5_series, word_tokenizer
from tests.sweep.toy_cells import passing, stored

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("configs/*/README.md")])


# Placeholders and stars stand for any name; a run's folder is there after a run only.
ABSENT = ("runs/",)


def links(page: Path) -> list[Path]:
    """Files that the links of a page lead to."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    relative = (t.partition("#")[0] for t in targets if not re.match(r"[a-z]+:", t))
    return [page.parent / target for target in relative if target]


def places() -> list[str]:
    """Patterns in the first column of the table in README's "Where things are"."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Where things are\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\|([^|]*)\|", section, flags=re.MULTILINE)
    named = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    return [re.sub(r"<\w+>", "*", name) for name in named if not name.startswith(ABSENT)]


def blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL):
            found.append((f"{page.relative_to(ROOT)}", block))
    return found


PYTHON = blocks("python")
SERVE = ("grok sweep serve", "grok watch")
"""End with a signal only; ``tests/sweep/test_serve_agents.py`` and
``tests/test_watch_command.py`` run them."""
COMMANDS = [
    (page, line.partition("#")[0].strip())
    for page, block in blocks("console")
    for line in block.splitlines()
    if line.startswith("grok ") and not line.startswith(SERVE)
]

MY_SWEEP = """\
method: random
command: ["${env}", grok, train, inductive_bias/layernorm, "${args}"]
parameters: {optim.lr: {min: 1.0e-4, max: 1.0e-2}}
"""


def test_the_pages_show_code_and_commands() -> None:
    assert len(PYTHON) >= 6
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    assert [str(target) for target in links(page) if not target.exists()] == []


def test_some_page_has_links() -> None:
    assert sum(len(links(page)) for page in PAGES) >= 5


def test_things_are_where_the_readme_says() -> None:
    assert len(places()) >= 6
    assert [place for place in places() if not any(ROOT.glob(place))] == []


@pytest.mark.slow
@pytest.mark.parametrize(("page", "block"), PYTHON, ids=range(len(PYTHON)))
# Lightning's hints to a user's own small loop are not errors of the page.
@pytest.mark.filterwarnings("ignore:.*does not have many workers.*")
@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*")
@pytest.mark.filterwarnings("ignore:.*smaller than the logging interval.*")
def test_python_on_the_pages_runs(
    page: str, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")  # published readings
    exec(compile(block, page, "exec"), {"__name__": "__main__"})


def others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints of others in a folder and on a hub without a network, and a text."""
    t5_series(folder / "checkpoints", lambda step, name, x: x * (1 + step / 100), [0, 100, 200])
    steps = {i: folder / "checkpoints" / f"step_{i:06}" for i in (0, 100, 200)}
    word_tokenizer(steps[0])
    berts = {f"google/multiberts-seed_0-step_{i}k": {"main": at} for i, at in steps.items()}
    branches = {f"step{i}": at for i, at in steps.items()}
    repos = {"EleutherAI/pythia-14m": branches, "google-t5/t5-small": {"main": steps[0]}}
    FakeHub(repos | berts, empty_cache(folder / "cache", monkeypatch), monkeypatch)
    (folder / "text.txt").write_text("the cat sat on the mat\n", encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=[c for _, c in COMMANDS])
def test_commands_on_the_pages_run(
    page: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROK_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    small = ["--n_steps=2", "--tracking.mode=disabled"]
    arguments = shlex.split(command)[1:]
    if arguments[0] == "train":
        arguments += small
    if arguments[0] in ("sweep", "reproduce", "diagram") and arguments[1] != "check":
        arguments += ["--dry-run"]
    for name in {"my_random.yaml", "my_sweep.yaml"} & set(arguments):
        Path(name).write_text(MY_SWEEP, encoding="utf-8")
    if arguments[0] == "dashboard" and "-o" not in arguments:
        arguments += ["-o", "workspace.json"]  # nothing is sent to anybody's account
    if any(each.startswith("hf:") or each == "--series" for each in arguments):
        others(tmp_path, monkeypatch)
    elif arguments[0] in ("export", "measure", "report"):
        assert main(["train", "readout_scale", *small]) == 0
    if arguments == ["report", "layernorm"]:
        assert main(["train", "layernorm", *small]) == 0
    if arguments[0] == "correlate":
        for at, run in enumerate(read_sweep(arguments[1]).runs()):
            values = {"norm/theta/all": {400: float(at)}}
            stored(tmp_path / "runs", run.config, passing(10, 500 + at, 4000) | values)
    if "model.pt" in arguments:
        parts = (fourier_config(11, 1), 11, fourier_parameters(11, {3: 5.0}))
        write_checkpoint("model.pt", parts, "progress_measures")
    lacks_runs = arguments[0] == "figure" and len(arguments) > 2
    assert main(arguments) == int(lacks_runs), f"{page}: {command}"
