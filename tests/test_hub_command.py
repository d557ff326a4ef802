"""``grok measure hf:...``: local folders, and repositories without a network."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fake_hub import FakeHub, empty_cache
from tests.hugging import CONFIGS, folder_of, growing, initial, network, save_t5, word_tokenizer
from tests.running import Result, command

SMALL = ("--n_texts=2", "--max_tokens=6")


@pytest.fixture(autouse=True)
def in_a_place_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROK_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return empty_cache(tmp_path / "cache", monkeypatch)


def as_json(result: Result) -> Any:
    assert result.code == 0, result.err
    return json.loads(result.out)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which a command is refused as unusable."""
    result = command(capsys, "measure", *arguments)
    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    return line.removeprefix("grok: ")


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("is_initial", [False, True])
def test_every_layer_of_a_folder_has_a_cosine(
    family: str, is_initial: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder_of(network(family), tmp_path / "model")
    options = (*SMALL, *(["--random_init"] if is_initial else []), "--json")
    found = as_json(command(capsys, "measure", "hf:model", *options))
    assert (found["class"], found["random_init"]) == (f"{family}Model", is_initial)
    assert (found["n_texts"], found["n_positions"]) == (2, 12)
    assert found["tokens"] == "random, seed 0"
    stacks = {"encoder", "decoder"} if family == "T5" else {"encoder"}
    assert found["stacks"].keys() == stacks
    for stack in found["stacks"].values():
        assert [layer["layer"] for layer in stack["layers"]] == [0, 1, 2]
        assert all(-1 <= layer["mean"] <= 1 + 1e-12 for layer in stack["layers"])
        heads = [(head["layer"], head["head"]) for head in stack["heads"]]
        assert heads == [(i, h) for i in (1, 2) for h in range(4 if family == "T5" else 2)]
        assert {head["class"] for head in stack["heads"]} <= {"argmax", "mean", "mixed"}


def test_the_tables_name_model_tokens_and_layers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder_of(network("T5"), tmp_path / "model")
    word_tokenizer(tmp_path / "model")
    (tmp_path / "text.txt").write_text("the cat sat\n\nthe dog\n")
    options = ("--text=text.txt", "--convergence", "--include=encoder|shared")
    result = command(capsys, "measure", "hf:model", *options)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "model     model, T5Model, stored weights"
    assert lines[1] == "tokens    paragraphs of text.txt: 2 texts, 5 positions"
    assert lines[2] == "cosine    to all parameters times 1000, in float64"
    assert "encoder" in lines
    assert "decoder" in lines
    assert result.out.count("0 (embeddings)") == 2
    assert result.out.count("cosine of the last layer at c and 10 c: ") == 2


def test_numbers_that_overflow_are_null_and_a_blank(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder_of(network("GPT2"), tmp_path / "model")
    options = ("measure", "hf:model", *SMALL, "--factor=1e11", "--dtype=float32")
    found = as_json(command(capsys, *options, "--json"))
    assert found["stacks"]["encoder"]["layers"][2]["mean"] is None
    assert (
        "a blank is a number that is not finite: --dtype=float64" in command(capsys, *options).out
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hf:model", "--factor=0"], "factor=0 must be above 0, and below 1e12"),
        (["hf:model", "--n_texts=0"], "n_texts=0 must be 1 or more"),
        (["hf:model", "--dtype=half"], "argument --dtype: invalid choice: 'half'"),
        (["hf:model", "--include=("], "include=( is no regular expression"),
        (["hf:model", "--include=absent"], "include=absent finds no parameter, such as wte.weight"),
        (["hf:model", "--text=absent.txt"], "text=absent.txt cannot be read: No such file"),
        (["hf:model", "--revision=v1"], "revision=v1: model is a local folder, which has none"),
        (
            ["hf:model", "--what"],
            "unrecognized arguments: --what; see grok measure hf:MODEL --help",
        ),
        (["model.pt", "hf:model"], "unrecognized arguments: hf:model"),
        (["hf:empty"], "config.json"),
    ],
    ids=range(10),
)
def test_what_is_unusable_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder_of(network("GPT2"), tmp_path / "model")
    (tmp_path / "empty").mkdir()
    assert message in refusal(capsys, *arguments)


def test_without_the_extra_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    line = "{} is not installed: pip install 'grokking-lab[hub]'"
    assert refusal(capsys, "hf:model") == line.format("transformers")
    for arguments in (["hf:o/m"], ["--series=hf:o/m"], ["--series", "hf:o/m-{step}k"]):
        assert refusal(capsys, *arguments) == line.format("huggingface_hub")


def test_a_hub_that_cannot_be_reached_is_one_line(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise ConnectionError("nobody answers")

    for call in ("list_models", "list_repo_refs", "model_info"):
        monkeypatch.setattr(f"huggingface_hub.HfApi.{call}", nobody)
    assert refusal(capsys, "hf:o/m") == "hf:o/m: nobody answers"
    assert refusal(capsys, "--series=hf:o/m") == "hf:o/m: nobody answers"
    assert refusal(capsys, "--series=hf:o/m-{step}k") == "hf:o/m-: nobody answers"
    assert refusal(capsys, "hf:o/m", "--local_files_only") == (
        "hf:o/m is not in the cache, and local_files_only allows no download"
    )
    line = refusal(capsys, "--series=hf:o/m", "--local_files_only")
    assert line.startswith("hf:o/m has nothing; no name matches")


def test_a_repository_is_read_and_kept(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(network("Bert"), tmp_path / "model")
    (folder / "tf_model.h5").write_text("what nobody needs")
    hub = FakeHub({"o/m": {"main": folder, "v1": folder}}, cache, monkeypatch)
    here = as_json(command(capsys, "measure", "hf:model", *SMALL, "--json"))
    for options in ((), ("--local_files_only",), ("--revision=v1",)):
        found = as_json(command(capsys, "measure", "hf:o/m", *SMALL, *options, "--json"))
        assert found["stacks"] == here["stacks"]
    assert hub.downloads == [("o/m", None), ("o/m", "v1")]


STEPS = (0, 100, 1000)


def branched(folder: Path) -> dict[str, Path]:
    """Branches of a repository in the manner of Pythia, main among them."""
    found = {}
    for step in STEPS:
        state = {name: growing(step, name, x) for name, x in initial().items()}
        found[f"step{step}"] = save_t5(folder / f"{step}", state)
    return found | {"main": found["step1000"]}


def test_branches_are_a_series(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    branches = branched(tmp_path / "content")
    hub = FakeHub({"o/m": branches}, cache, monkeypatch)
    series = ("measure", "--series", "hf:o/m", "--json")
    found = as_json(command(capsys, *series))
    assert found["steps"] == list(STEPS)
    assert found["revisions"] == ["step0", "step100", "step1000"]
    law = found["sets"]["encoder"]["law"]
    assert law["affine"]["sqrt"]["r2"] == pytest.approx(1, abs=1e-12)
    assert len(hub.downloads) == 3
    assert list(cache.iterdir()) == []  # one at a time, and not kept
    assert as_json(command(capsys, *series)) == found
    assert len(hub.downloads) == 3  # nor downloaded again
    branches["step1000"] = branches["step100"]
    again = as_json(command(capsys, *series))
    assert again["sets"]["encoder"]["readings"]["norm/delta"][2] == 0
    assert hub.downloads[3:] == [("o/m", "step100"), ("o/m", "step1000")]


def test_a_branch_that_moved_on_is_not_taken_from_the_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    branches = branched(tmp_path / "content")
    FakeHub({"o/m": branches}, cache, monkeypatch)
    series = ("measure", "--series", "hf:o/m", "--keep_cache", "--json")
    before = as_json(command(capsys, *series))
    assert before["sets"]["encoder"]["readings"]["norm/delta"][2] > 0
    branches["step1000"] = branches["step100"]
    after = as_json(command(capsys, *series))
    assert after["sets"]["encoder"]["readings"]["norm/delta"][2] == 0


def test_repositories_with_the_step_in_their_names_are_a_series(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    contents = branched(tmp_path / "content")
    start = "google/multiberts-seed_0-step_"
    repos = {f"{start}{s}k": {"main": contents[f"step{s}"]} for s in STEPS}
    repos |= {"google/multiberts-seed_0": repos[f"{start}0k"]}
    hub = FakeHub(repos, cache, monkeypatch)
    series = ("measure", "--series", start.replace("google", "hf:google") + "{step}k", "--json")
    found = as_json(command(capsys, *series, "--keep_cache"))
    assert found["steps"] == [1000 * step for step in STEPS]
    assert len(hub.downloads) == 3
    monkeypatch.setenv("GROK_RUNS", str(tmp_path / "other"))
    assert as_json(command(capsys, *series, "--local_files_only"))["sets"] == found["sets"]
    assert len(hub.downloads) == 3


def test_a_branch_that_cannot_be_had_is_named(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    branches = branched(tmp_path / "content")
    (branches["step100"] / "model.safetensors").unlink()
    FakeHub({"o/m": branches}, cache, monkeypatch)
    result = command(capsys, "measure", "--series=hf:o/m", "--json")
    assert result.code == 1
    (line,) = result.err.splitlines()
    assert line.startswith("grok: step100: has no weights; allowed are model.safetensors")
    assert json.loads(result.out)["steps"] == [0, 1000]
