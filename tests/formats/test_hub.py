"""Revisions of the hub without a network: fake answers, and a real cache of the library."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from grok.formats.hub import branches, fetched, model_folder, repositories
from grok.formats.tensors import open_tensors
from grok.inputs import InputError
from tests.fake_hub import FakeHub, commit_of, empty_cache, put


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return empty_cache(tmp_path / "cache", monkeypatch)


def revision(folder: Path, value: float = 1.0) -> Path:
    """What a revision holds: weights, a configuration, and a file that nobody needs."""
    folder.mkdir()
    save_file({"w": torch.full((2,), value)}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    (folder / "flax_model.msgpack").write_text("large")
    return folder


def test_a_revision_is_downloaded_read_and_gone(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = FakeHub({"o/m": {"step1": revision(tmp_path / "a", 3.0)}}, cache, monkeypatch)
    assert branches("o/m") == {"step1": commit_of(tmp_path / "a")}
    with fetched("o/m", "step1") as folder:
        held = open_tensors(folder)["w"]
        assert sorted(file.name for file in folder.iterdir()) == [
            "config.json",
            "model.safetensors",
        ]
    assert not folder.exists()
    assert held.tolist() == [3, 3]
    assert hub.downloads == [("o/m", "step1")]
    assert list(cache.iterdir()) == []


def test_what_is_kept_is_not_downloaded_again(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the files that nobody needs are known not to be there."""
    hub = FakeHub({"o/m": {"step1": revision(tmp_path / "a")}}, cache, monkeypatch)
    for keep, is_local in ((True, False), (False, False), (False, True)):
        with fetched("o/m", "step1", keep=keep, local_files_only=is_local) as folder:
            assert folder.is_relative_to(cache)
    assert len(hub.downloads) == 1
    assert branches("o/m", local_files_only=True) == branches("o/m")
    with fetched("o/m", "step1", commit=commit_of(tmp_path / "newer")) as folder:
        assert not folder.is_relative_to(cache)  # the branch has moved on
    assert len(hub.downloads) == 2


@pytest.mark.parametrize("lost", ["model.safetensors", "config.json"])
def test_a_revision_of_which_the_cache_lacks_files_is_downloaded(
    lost: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = revision(tmp_path / "a")
    FakeHub({"o/m": {"main": content}}, cache, monkeypatch)
    others = [file.name for file in content.iterdir() if file.name != lost]
    put(cache, "o/m", "main", content, others)
    with fetched("o/m") as folder:
        assert (folder / lost).exists()
        assert not folder.is_relative_to(cache)
    with (
        pytest.raises(InputError, match=r"^hf:o/m is not in the cache, and local_files_only"),
        fetched("o/m", local_files_only=True),
    ):
        pass


def test_the_configuration_alone_may_be_asked_for(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeHub({"o/m": {"main": revision(tmp_path / "a")}}, cache, monkeypatch)
    with fetched("o/m", with_weights=False) as folder:
        assert [file.name for file in folder.iterdir()] == ["config.json"]


def test_what_the_cache_has_is_listed(cache: Path, tmp_path: Path) -> None:
    for i, step in enumerate((0, 20)):
        put(cache, f"g/bert-step_{step}k", "main", revision(tmp_path / f"a{i}"))
    put(cache, "g/other", "step5", revision(tmp_path / "b"))
    found = repositories("g", "bert-step_", local_files_only=True)
    assert found == {
        f"g/bert-step_{s}k": commit_of(tmp_path / f"a{i}") for i, s in ((0, 0), (1, 20))
    }
    assert branches("g/other", local_files_only=True) == {"step5": commit_of(tmp_path / "b")}
    assert branches("g/absent", local_files_only=True) == {}


def test_repositories_are_found_by_the_beginning_of_their_names(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {"main": revision(tmp_path / "a")}
    repos = {"g/bert-1": one, "g/bert-2": one, "g/a-bert-3": one, "h/bert-4": one}
    FakeHub(repos, cache, monkeypatch)
    assert repositories("g", "bert-") == dict.fromkeys(
        ["g/bert-1", "g/bert-2"], commit_of(tmp_path / "a")
    )


def test_without_a_cache_nothing_is_cached(cache: Path) -> None:
    cache.rmdir()
    assert branches("o/m", local_files_only=True) == {}


def test_a_hub_that_cannot_be_reached_is_one_line(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"^hf:o/m: .*refused") as caught:
        branches("o/m")  # the library's own error
    assert len(str(caught.value).splitlines()) == 1

    def nobody(*_: object, **__: object) -> None:
        raise ConnectionError("nobody\n\nanswers")

    for call in ("list_models", "model_info"):  # which the library tries for half a minute
        monkeypatch.setattr(f"huggingface_hub.HfApi.{call}", nobody)
    with pytest.raises(InputError, match=r"^hf:o/m: nobody$"):
        repositories("o", "m")
    with pytest.raises(InputError, match=r"^hf:o/m at step1: nobody$"):
        entered("o/m", "step1")


def entered(*arguments: str) -> None:
    with fetched(*arguments):
        pass


@pytest.mark.parametrize("name", ["a/b/c", "-a/b", "no such folder"])
def test_what_is_no_name_of_a_repository_is_one_line(name: str, cache: Path) -> None:
    with pytest.raises(InputError, match=f"^hf:{name}: "):
        entered(name)


def test_without_the_library_the_message_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setitem(sys.modules, "transformers", None)
    from grok.formats.hub import transformers_library

    with pytest.raises(InputError) as caught:
        branches("o/m")
    assert str(caught.value) == (
        "huggingface_hub is not installed: pip install 'grokking-lab[hub]'"
    )
    with pytest.raises(InputError, match=r"^transformers is not installed: pip install 'grokking"):
        transformers_library()


def test_a_local_folder_has_no_revision(tmp_path: Path) -> None:
    with model_folder(str(tmp_path), None) as folder:
        assert folder == tmp_path
    with (
        pytest.raises(InputError, match=r"^revision=v1: .* is a local folder, which has none"),
        model_folder(str(tmp_path), "v1"),
    ):
        pass
