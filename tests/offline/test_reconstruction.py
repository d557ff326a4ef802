"""Accuracy with an embedding of which few principal components are left."""

from dataclasses import replace
from pathlib import Path

import pytest

from grok.config import CheckpointConfig
from grok.inputs import InputError
from grok.lit.train import train
from grok.offline import reconstructed_accuracy, reconstruction
from grok.training import Stack, ToyProblem
from tests.fourier_network import fourier_config, fourier_parameters
from tests.running import on_sequences, run_config
from tests.toys import ENCODER, toy


def test_all_components_give_the_accuracy_of_the_network_and_one_another() -> None:
    config = toy(3, **ENCODER, lr=1e-2, embed_lr=1e-2, dtype="float64")
    stack = Stack(ToyProblem([config]))
    stack.advance(60)
    params = {name: x[0].detach().clone() for name, x in stack.params.items()}
    found = reconstructed_accuracy(config, params, params["W_E"], [1, 7])
    exact = {
        split: float((logits.argmax(dim=-1) == labels).double().mean())
        for split, (logits, labels) in stack.snapshot().predictions.items()
    }
    assert found[7] == exact
    assert found[7]["train"] == 1
    assert found[1]["train"] < 1


def test_of_pairs_the_symbols_alone_are_rebuilt() -> None:
    """The embedding of this circuit has a line, which is read, and a circle, which is not."""
    config = replace(run_config(), model=fourier_config(11, 1), dtype="float64")
    config = replace(config, data=replace(config.data, p=11, train_fraction=0.5))
    params = fourier_parameters(11, {3: 7.0})
    found = reconstructed_accuracy(config, params, params["W_E"][:11], [3])
    assert found == {3: {"train": 1, "test": 1}}


@pytest.mark.slow
def test_a_stored_step_is_read_with_components_of_another(tmp_path: Path) -> None:
    config = toy(
        3, **ENCODER, lr=1e-2, embed_lr=1e-2, n_steps=60, checkpoint=CheckpointConfig(every=20)
    )
    run = train(config, tmp_path, progress=False)
    own = reconstruction(run, [2, 7])
    assert own == reconstruction(run, [2, 7], step=60, components_of=60)
    assert own[7]["train"] == run.readings()["acc/train"][-1]
    early = reconstruction(run, [2], step=20, components_of=60)
    assert early != reconstruction(run, [2], step=20)
    with pytest.raises(InputError, match=r"no parameters of step 30; it has \[0, 20, 40, 60\]"):
        reconstruction(run, [2], step=30)


@pytest.mark.slow
def test_sequences_have_no_symbols_to_rebuild(tmp_path: Path) -> None:
    run = train(replace(on_sequences("digit_addition"), n_steps=1), tmp_path, progress=False)
    with pytest.raises(InputError, match="is of digit_addition"):
        reconstruction(run, [2])
