"""Tensors by name from files and folders of any model; nothing in them is run."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from grok.formats.tensors import open_tensors, weights_among
from grok.inputs import InputError
from tests.formats.test_damaged_files import Trap

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "b.bias": torch.ones(2).half()}


def refusal(path: Path) -> str:
    """The one line with which a file or folder is refused."""
    with pytest.raises(InputError) as caught:
        dict(open_tensors(path))
    text = str(caught.value)
    assert text.isprintable()
    assert str(path.parent) not in text
    return text


def same(found: Any, expected: dict[str, Tensor]) -> bool:
    return dict(found).keys() == expected.keys() and all(
        torch.equal(found[name], x) and found[name].dtype == x.dtype for name, x in expected.items()
    )


def sharded(folder: Path, stem: str = "model", ending: str = "safetensors") -> Path:
    """A folder with one tensor in each of two files, and their index."""
    places = {}
    for i, (name, x) in enumerate(STATE.items(), 1):
        file = f"{stem}-0000{i}-of-00002.{ending}"
        places[name] = file
        save = save_file if ending == "safetensors" else torch.save
        save({name: x}, folder / file)
    index = folder / f"{stem}.{ending}.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


@pytest.mark.parametrize("kind", ["safetensors", "pt", "lightning", "folder", "bin folder"])
def test_every_kind_of_file_gives_the_same_tensors(kind: str, tmp_path: Path) -> None:
    path = tmp_path / {"safetensors": "x.safetensors", "lightning": "x.ckpt"}.get(kind, "x.pt")
    if kind == "safetensors":
        save_file(STATE, path)
    elif kind == "folder":
        path = tmp_path
        save_file(STATE, path / "model.safetensors")
        torch.save({"other": torch.ones(1)}, path / "optimizer.pt")
    elif kind == "bin folder":
        path = tmp_path
        torch.save(STATE, path / "pytorch_model.bin")
        torch.save({"other": torch.ones(1)}, path / "training_args.bin")
    else:
        torch.save({"state_dict": STATE, "epoch": 3} if kind == "lightning" else STATE, path)
    assert same(open_tensors(path), STATE)


@pytest.mark.parametrize(("stem", "ending"), [("model", "safetensors"), ("pytorch_model", "bin")])
def test_parts_with_an_index_are_one_checkpoint(stem: str, ending: str, tmp_path: Path) -> None:
    assert same(open_tensors(sharded(tmp_path, stem, ending)), STATE)
    lost = f"{stem}-00002-of-00002.{ending}"
    (tmp_path / lost).unlink()
    assert refusal(tmp_path) == f"lacks '{lost}', which {stem}.{ending}.index.json names"


def test_a_name_that_two_parts_have_is_refused(tmp_path: Path) -> None:
    sharded(tmp_path)
    save_file(STATE, tmp_path / "model-00002-of-00002.safetensors")
    assert "model-00002-of-00002.safetensors repeats 'a.weight'" in refusal(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"weight_map": [1]}', '{"weight_map": {"a": {}}}', "[" * 10**5]
)
def test_a_damaged_index_is_refused(text: str, tmp_path: Path) -> None:
    sharded(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(text)
    found = refusal(tmp_path)
    assert "is no index of weights" in found or "which model.safetensors.index.json" in found


def test_an_index_leads_to_no_file_outside_its_folder(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "secret.safetensors")
    folder = tmp_path / "model"
    folder.mkdir()
    sharded(folder)
    places = {"weight_map": {"a.weight": "../secret.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(places))
    assert "lacks '../secret.safetensors', which" in refusal(folder)


@pytest.mark.parametrize("place", ["file", "folder"])
def test_code_in_a_pickle_is_never_run(place: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    file = tmp_path / ("pytorch_model.bin" if place == "folder" else "step_1.pt")
    torch.save(STATE | {"x": Trap(mark)}, file)
    found = refusal(file if place == "file" else tmp_path)
    assert found.startswith(f"{file.name} ")
    assert "which is never run" in found
    assert not mark.exists()


def test_damaged_files_are_refused_by_name(tmp_path: Path) -> None:
    whole, cut = tmp_path / "x.safetensors", tmp_path / "cut.safetensors"
    save_file(STATE, whole)
    for n in (0, 7, 40, len(whole.read_bytes()) - 1):
        cut.write_bytes(whole.read_bytes()[:n])
        assert refusal(cut) == "cut.safetensors is a damaged safetensors file"
    (tmp_path / "text.pt").write_text("no weights")
    assert refusal(tmp_path / "text.pt").startswith("text.pt is neither safetensors nor")
    assert refusal(tmp_path / "absent.pt") == "absent.pt is no file"
    save_file({}, whole)
    assert refusal(whole) == "has no tensor"


def test_the_moments_of_our_own_checkpoints_are_no_parameters(tmp_path: Path) -> None:
    save_file(STATE | {"optim/a.weight": torch.ones(1)}, tmp_path / "x.safetensors")
    assert same(open_tensors(tmp_path / "x.safetensors"), STATE)


def test_the_weights_of_a_folder_are_told_by_their_names() -> None:
    both = ["config.json", "pytorch_model.bin", "model.safetensors", "rng_state.pth"]
    assert weights_among(both) == ["model.safetensors"]
    assert weights_among(both[:2]) == ["pytorch_model.bin"]
    assert weights_among(["net.ckpt", "notes.txt"]) == ["net.ckpt"]
    with pytest.raises(InputError, match=r"has a\.pt, b\.pt; allowed is one file, or model"):
        weights_among(["b.pt", "a.pt"])
    with pytest.raises(InputError, match="has no weights; allowed are"):
        weights_among(["config.json", "tf_model.h5"])
