"""A second look at a series reads what is new, and no look holds more than two checkpoints."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch
from weakref import WeakValueDictionary

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from grok.formats.tensors import Tensors
from grok.inputs import InputError
from grok.offline.curve import Curve, read_curve
from grok.offline.series import series_of
from grok.offline.stored_sums import StoredSums

STORED = "stored.json"


def checkpoint(folder: Path, step: int, scale: float | None = None) -> None:
    """A checkpoint whose parameters are a multiple of what they always are."""
    w = torch.arange(1.0, 7.0, dtype=torch.float64).reshape(2, 3)
    save_file({"w": w * (scale or 1 + step)}, folder / f"step_{step}.safetensors")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "series"
    found.mkdir()
    for step in (0, 10, 20, 30):
        checkpoint(found, step)
    return found


@contextmanager
def loads() -> Iterator[list[str]]:
    """Names of the checkpoints that are opened."""
    from grok.formats.tensors import open_tensors

    names: list[str] = []

    def counting(path: Path) -> Any:
        names.append(path.stem)
        return open_tensors(path)

    with patch("grok.offline.series.open_tensors", counting):
        yield names


def look(folder: Path, **options: Any) -> tuple[Curve, list[str]]:
    """The curve, what is stored beside the folder, and what was opened for it."""
    with loads() as names:
        curve = read_curve(series_of(str(folder)), stored=folder.parent / STORED, **options)
    return curve, names


def same(one: Curve, other: Curve) -> bool:
    return (
        one.n_weights == other.n_weights
        and one.layout == other.layout
        and one.problems == other.problems
        and all(
            np.array_equal(x, other.columns(name)[key], equal_nan=True)
            for name in one.n_weights
            for key, x in one.columns(name).items()
        )
    )


def fresh(folder: Path) -> Curve:
    return read_curve(series_of(str(folder)))


def test_the_same_call_reads_nothing(folder: Path) -> None:
    first, names = look(folder)
    assert names == ["step_0", "step_10", "step_20", "step_30"]
    again, names = look(folder)
    assert names == []
    assert same(first, again)


def test_a_new_checkpoint_is_read_with_the_one_before_it(folder: Path) -> None:
    look(folder)
    checkpoint(folder, 40)
    checkpoint(folder, 50)
    found, names = look(folder)
    assert names == ["step_30", "step_40", "step_50"]
    assert same(found, fresh(folder))


def test_a_changed_checkpoint_is_read_again_and_the_step_after_it(folder: Path) -> None:
    look(folder)
    checkpoint(folder, 10, scale=5.0)
    later = (folder / "step_10.safetensors").stat().st_mtime_ns + 10**9
    os.utime(folder / "step_10.safetensors", ns=(later, later))
    found, names = look(folder)
    assert names == ["step_0", "step_10", "step_20"]
    assert same(found, fresh(folder))


def test_what_lies_between_two_changes_is_not_read(folder: Path) -> None:
    for step in (40, 50):
        checkpoint(folder, step)
    look(folder)
    (folder / "step_0.safetensors").unlink()
    checkpoint(folder, 60)
    found, names = look(folder)
    assert names == ["step_10", "step_50", "step_60"]
    assert same(found, fresh(folder))


def test_a_checkpoint_that_has_gone_is_forgotten(folder: Path) -> None:
    look(folder)
    (folder / "step_20.safetensors").unlink()
    found, names = look(folder)
    assert names == ["step_10", "step_30"]
    assert same(found, fresh(folder))


def test_other_choices_are_read_anew(folder: Path) -> None:
    look(folder)
    found, names = look(folder, include="w")
    assert len(names) == 4
    assert found.n_weights == {"all": 6, "chosen": 6}


def test_a_call_that_was_interrupted_goes_on_where_it_was(folder: Path) -> None:
    def stop(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look(folder, tell=stop)
    found, names = look(folder)
    assert names == ["step_10", "step_20", "step_30"]
    assert same(found, fresh(folder))


def test_a_checkpoint_that_was_damaged_is_read_once_it_is_mended(folder: Path) -> None:
    file = folder / "step_20.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    found, _ = look(folder)
    assert [problem.name for problem in found.problems] == ["step_20.safetensors"]
    assert found.steps.tolist() == [0, 10, 30]
    file.write_bytes(whole)
    found, names = look(folder)
    assert names == ["step_10", "step_20", "step_30"]
    assert same(found, fresh(folder))


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"version": 1, "how": "auto ", "records": 3, "layout": "none"}']
)
def test_a_damaged_store_is_one_line(text: str, folder: Path) -> None:
    (folder.parent / STORED).write_text(text)
    with pytest.raises(InputError, match=r"stored\.json is damaged; remove it, and it is made"):
        look(folder)


def test_a_store_of_another_version_is_made_anew(folder: Path) -> None:
    look(folder)
    stored = folder.parent / STORED
    content = json.loads(stored.read_text())
    stored.write_text(json.dumps(content | {"version": 0}))
    assert len(look(folder)[1]) == 4
    assert json.loads(stored.read_text()) == content
    assert StoredSums(stored, "auto ").records.keys() == {
        f"step_{step}.safetensors" for step in (0, 10, 20, 30)
    }


@pytest.mark.parametrize(("ending", "save"), [("safetensors", save_file), ("pt", torch.save)])
def test_less_than_three_checkpoints_are_in_memory(
    ending: str, save: Callable[..., None], tmp_path: Path
) -> None:
    n_bytes = 0
    for step in range(5):
        state = {f"w{i}": torch.full((9,), 1.0 + step) for i in range(3)}
        save(state, tmp_path / f"step_{step}.{ending}")
        n_bytes = sum(x.nbytes for x in state.values())
    alive: WeakValueDictionary[int, Tensor] = WeakValueDictionary()
    counts, read = [], Tensors.__getitem__

    def counting(tensors: Tensors, name: str) -> Tensor:
        found = read(tensors, name)
        alive[id(found)] = found
        counts.append(sum(x.nbytes for x in alive.values()))
        return found

    with patch.object(Tensors, "__getitem__", counting):
        curve = read_curve(series_of(str(tmp_path)))
    assert len(curve.records) == 5
    assert 2 * n_bytes <= max(counts) < 3 * n_bytes
