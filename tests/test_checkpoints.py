import pickle
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from grok.checkpoints import (
    checkpoint_path,
    checkpoint_steps,
    latest_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from grok.runs import Run, RunStore
from tests.running import run_config


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return RunStore(tmp_path).create(run_config())


def state(step: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Parameters and moments that only this step has."""
    generator = torch.Generator().manual_seed(step)
    parameters = {
        "W_E": torch.randn(3, 4, generator=generator),
        "blocks.0.b_in": torch.randn(4, generator=generator, dtype=torch.float64),
    }
    moments = {f"exp_avg.{name}": x.square() for name, x in parameters.items()}
    return parameters, moments


def save(run: Run, *steps: int, every: int = 0) -> None:
    for step in steps:
        save_checkpoint(run, step, *state(step), every)


def test_a_checkpoint_comes_back_bit_for_bit(run: Run) -> None:
    save(run, 7)
    stored = latest_checkpoint(run)
    assert stored is not None
    assert stored.step == 7
    for found, expected in zip(stored[1:], state(7), strict=True):
        assert found.keys() == expected.keys()
        for name, tensor in expected.items():
            assert found[name].dtype == tensor.dtype
            assert torch.equal(found[name], tensor)


def test_numbers_that_are_not_finite_come_back_too(run: Run) -> None:
    values = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0])
    save_checkpoint(run, 0, {"w": values}, {"momentum.w": values.clone()}, 0)
    found = load_checkpoint(checkpoint_path(run, 0)).parameters["w"]
    assert found.numpy().tobytes() == values.numpy().tobytes()


def test_views_of_a_larger_tensor_are_stored_alone(run: Run) -> None:
    stacked = torch.arange(24.0).reshape(2, 3, 4)
    parameters = {"a": stacked[1], "b": stacked[1].T}
    save_checkpoint(run, 1, parameters, {"momentum.a": stacked[0]}, 0)
    stored = load_checkpoint(checkpoint_path(run, 1))
    assert torch.equal(stored.parameters["a"], stacked[1])
    assert torch.equal(stored.parameters["b"], stacked[1].T)


def test_a_run_without_checkpoints_starts_anew(run: Run) -> None:
    assert checkpoint_steps(run) == []
    assert latest_checkpoint(run) is None


def test_parameters_alone_are_nothing_to_resume_from(run: Run) -> None:
    save_checkpoint(run, 10, state(10)[0], {}, 10)
    assert checkpoint_steps(run) == [10]
    assert latest_checkpoint(run) is None


def test_only_the_last_step_is_kept_by_default(run: Run) -> None:
    save(run, 10, 20, 25)
    assert checkpoint_steps(run) == [25]


def test_multiples_are_kept_without_the_optimisers_state(run: Run) -> None:
    save(run, 0, 5, 10, 17, 20, 23, every=10)
    assert checkpoint_steps(run) == [0, 10, 20, 23]
    for step in (0, 10, 20):
        stored = load_checkpoint(checkpoint_path(run, step))
        assert stored.step == step
        assert stored.moments == {}
        assert torch.equal(stored.parameters["W_E"], state(step)[0]["W_E"])
    latest = latest_checkpoint(run)
    assert latest is not None
    assert latest.step == 23
    assert latest.moments.keys() == state(23)[1].keys()


def test_what_was_kept_on_purpose_outlives_another_schedule(run: Run) -> None:
    save(run, 0, 5, 10, 17, every=10)
    save(run, 20, 25, every=0)
    assert checkpoint_steps(run) == [0, 10, 25]


def test_a_checkpoint_beyond_the_one_just_saved_belongs_to_another_past(run: Run) -> None:
    save(run, 10, 20, 30, every=10)
    save(run, 10, every=10)
    assert checkpoint_steps(run) == [10]


def test_a_kill_between_saving_and_reducing_is_mended_by_the_next_save(run: Run) -> None:
    save(run, 10, every=10)
    with (
        patch("grok.checkpoints.checkpoint_steps", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        save(run, 15, every=10)
    latest = latest_checkpoint(run)
    assert latest is not None
    assert latest.step == 15
    assert load_checkpoint(checkpoint_path(run, 10)).moments
    save(run, 18, every=10)
    assert checkpoint_steps(run) == [10, 18]
    assert not load_checkpoint(checkpoint_path(run, 10)).moments


def test_a_failed_save_leaves_the_earlier_checkpoint(run: Run) -> None:
    save(run, 10)
    with (
        patch("grok.runs.files.os.fsync", side_effect=OSError(28, "No space left on device")),
        pytest.raises(OSError, match="No space left"),
    ):
        save(run, 20)
    latest = latest_checkpoint(run)
    assert latest is not None
    assert latest.step == 10
    assert [path.name for path in run.checkpoints_dir.iterdir()] == ["00000010.safetensors"]


def test_other_files_are_passed_over(run: Run) -> None:
    save(run, 10)
    (run.checkpoints_dir / "best.safetensors").write_bytes(b"")
    (run.checkpoints_dir / ".00000020.safetensors.0123456789ab.tmp").write_bytes(b"")
    assert checkpoint_steps(run) == [10]


class Trap:
    """What unpickling would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise AssertionError('unpickled')",)


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "pickle", "foreign", "absent"])
def test_a_damaged_file_is_one_line_that_names_it(damage: str, run: Run) -> None:
    save(run, 10)
    path = checkpoint_path(run, 10)
    whole = path.read_bytes()
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(whole[:-5])
    elif damage == "noise":
        path.write_bytes(bytes(255 - byte for byte in whole))
    elif damage == "pickle":
        path.write_bytes(pickle.dumps(Trap()))
    elif damage == "foreign":
        from safetensors.torch import save_file

        save_file({"w": torch.zeros(2)}, path)
    else:
        path.unlink()
    with pytest.raises(ValueError, match="is not a checkpoint of grok") as caught:
        load_checkpoint(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
