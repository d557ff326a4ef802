"""What a run on images can be, its key, its stack, and what is read of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch.utils.flop_counter import FlopCounterMode

from grok.config import RunConfig, Schedule, parse_run, run_key
from grok.config.stacking import stack_size
from grok.data.image_config import MNIST_SHA256, ImageConfig
from grok.data.images import image_data, mnist_sha256
from grok.data.mnist import mnist_folder
from grok.inputs import InputError
from grok.lit.families import measure_callbacks
from grok.lit.train import train
from grok.runs import RunStore
from grok.sweep.estimate import step_flops
from grok.training import Stack, check_stackable, problem_of
from tests.images import digits_run, mnist_run, needs_digits, small_mnist
from tests.running import measures


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n_train": 60_001}, "images.n_train=60001: allowed are 1 to 60000"),
        ({"source": "digits", "n_train": 1797}, "images.n_train=1797: allowed are 1 to 1796"),
        ({"n_train": 0}, "images.n_train=0"),
        ({"batch_size": 1001}, "images.batch_size=1001: allowed are 0 to 1000"),
        ({"width": 0}, "images.width=0"),
        ({"depth": 0}, "images.depth=0"),
        ({"init_scale": float("nan")}, "images.init_scale=nan"),
        ({"init_scale": -1.0}, "images.init_scale=-1.0"),
        ({"sha256": "ABC"}, "images.sha256=ABC: expected 64 hexadecimal digits"),
        ({"source": "digits", "directory": "/x"}, "images.directory=/x is of images.source=mnist"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageConfig(**fields)


def test_fields_of_a_transformer_are_refused_and_not_ignored() -> None:
    config = digits_run()
    with pytest.raises(ValueError, match=r"model\.d_model=64 has no effect with problem=images"):
        replace(config, model=replace(config.model, d_model=64))
    with pytest.raises(ValueError, match=r"data\.p=7 has no effect with problem=images"):
        replace(config, data=replace(config.data, p=7))
    with pytest.raises(ValueError, match=r"optim\.embed_lr=0\.1 has no effect"):
        digits_run(embed_lr=0.1)
    read = replace(config.measures, repr=replace(config.measures.repr, enabled=True))
    allowed = "task, norm, weights, hessian, dynamics, homogeneity"
    message = rf"measures\.repr\.enabled=true: .*problem=images are {allowed}$"
    with pytest.raises(ValueError, match=message):
        replace(config, measures=read)


def test_keys_tell_apart_what_differs_and_no_more() -> None:
    def key(**fields: Any) -> str:
        return run_key(digits_run(**fields))

    assert key().startswith("digits-s0-")
    assert key() == key(n_steps=77) == key(batch_size=200)
    assert key() != key(batch_size=100)
    assert len({key(), key(init_scale=2.0), key(fixed_norm=True), key(unembed_lr=0.1)}) == 4
    # The seed of the split has a say where a subset is drawn, that of the order in mini-batches.
    cases: list[tuple[dict[str, Any], str, bool]] = [
        ({}, "split_seed", True),
        ({"order": "first"}, "split_seed", False),
        ({}, "order_seed", False),
        ({"batch_size": 50}, "order_seed", True),
    ]
    for fields, name, matters in cases:
        config = digits_run(**fields)
        other = replace(config, data=replace(config.data, **{name: 5}))
        assert (run_key(config) != run_key(other)) == matters
    assert run_key(RunConfig()) == run_key(replace(RunConfig(), images=ImageConfig(width=3)))


def test_files_enter_the_key_by_what_they_hold_and_need_not_be_there() -> None:
    keys = {run_key(mnist_run(directory=folder)) for folder in ("", "/nowhere", "/elsewhere")}
    assert keys == {run_key(mnist_run(sha256=MNIST_SHA256))}
    assert keys.pop().startswith("mnist-s0-")
    assert run_key(mnist_run(sha256="0" * 64)) != run_key(mnist_run())


def test_the_digest_is_of_the_unpacked_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    folder = small_mnist(tmp_path, monkeypatch)
    names = [
        f"{part}-{what}-ubyte"
        for part in ("train", "t10k")
        for what in ("images-idx3", "labels-idx1")
    ]
    digests = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]
    joint = hashlib.sha256("".join(f"{each}\n" for each in digests).encode()).hexdigest()
    assert mnist_sha256(folder) == joint
    image_data(folder, 3, "first", 0, sha256=joint)
    (folder / names[3]).write_bytes((folder / names[3]).read_bytes()[:-1] + b"\x09")
    with pytest.raises(InputError, match=f"expected {joint}"):
        image_data(folder, 3, "first", 0, sha256=joint)


def test_the_folder_is_the_named_one_or_that_of_the_laboratory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROK_DATA", str(tmp_path))
    assert mnist_folder("") == tmp_path / "mnist"
    assert mnist_folder("/a") == Path("/a")


def test_a_stored_run_on_files_is_readable_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_mnist(tmp_path / "files", monkeypatch)
    config = mnist_run(directory=str(folder), sha256=mnist_sha256(folder), n_steps=20)
    run = train(config, tmp_path / "runs", progress=False)
    for path in folder.iterdir():
        path.unlink()
    [stored] = RunStore(tmp_path / "runs").runs()
    assert stored.config.images == config.images
    assert run_key(stored.config) == run.key
    assert stored.readings()["step"].to_list() == [0, 10, 20]


def test_runs_of_a_stack_may_differ_in_their_initial_scale_and_not_in_their_images() -> None:
    check_stackable([digits_run(), digits_run(1, init_scale=3.0, unembed_lr=0.1)])
    with pytest.raises(ValueError, match=r"may not differ in images\.n_train$"):
        check_stackable([digits_run(), digits_run(n_train=100)])
    assert stack_size(digits_run(), 20, 2) == 4
    assert stack_size(digits_run(), 6, 2) == 3


def test_what_needs_a_transformer_is_not_read() -> None:
    default = replace(digits_run(), measures=RunConfig().measures)
    assert list(measure_callbacks(default)) == ["task", "norm"]


@needs_digits
def test_every_family_that_is_allowed_is_read(tmp_path: Path) -> None:
    every = Schedule(every=10)
    read = measures(task=every, norm=every, weights=every, hessian=every)
    config = digits_run(width=12, n_train=20, n_steps=10, measures=read)
    names = train(config, tmp_path, progress=False).readings().columns
    expected = ("loss/train", "acc/test", "norm/theta/all", "compress/weight_rank/W_0")
    assert set(expected) <= set(names)
    assert any(name.startswith("hessian/") for name in names)


@needs_digits
@pytest.mark.parametrize("fields", [{}, {"batch_size": 50, "depth": 1}], ids=str)
def test_the_operations_of_an_update_are_those_that_torch_counts(fields: dict[str, Any]) -> None:
    config = digits_run(width=200, **fields)
    # Of two runs: a lone one is computed as two.
    stack = Stack(problem_of([config, replace(config, n_steps=config.n_steps)]))
    with FlopCounterMode(display=False) as counter:
        stack.gradient(0)
    assert 2 * step_flops(config) == counter.get_total_flops()


def test_flags_reach_the_fields() -> None:
    flags = ["--problem=images", "--images.source=digits", "--images.n_train=9", "--n_steps=3"]
    with pytest.raises(InputError, match=r"model\.\w+=\S+ has no effect with problem=images"):
        parse_run("modular_addition", flags)
