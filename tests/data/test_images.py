import gzip
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import grok.data.images as images
from grok.data.images import digits, image_data
from grok.data.mnist import mnist_part, read_idx
from grok.inputs import InputError
from tests.images import needs_digits

N_TRAIN, N_VALIDATION, SIDE = 12, 5, 3
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(values: np.ndarray) -> bytes:
    """The format of the files, as its description has it."""
    magic = {1: 2049, 3: 2051}[values.ndim]
    return (
        struct.pack(f">{1 + values.ndim}i", magic, *values.shape)
        + values.astype(np.uint8).tobytes()
    )


def pixels(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, SIDE, SIDE), dtype=np.uint8)


def write(folder: Path, *, packed: bool = False) -> None:
    for part, n, seed in (("train", N_TRAIN, 0), ("t10k", N_VALIDATION, 1)):
        for name, values in (("images-idx3", pixels(n, seed)), ("labels-idx1", np.arange(n) % 10)):
            path = folder / f"{part}-{name}-ubyte"
            content = idx(values)
            if packed:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(content))
            else:
                path.write_bytes(content)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with a set of the form of MNIST, whose sizes the loader is told."""
    for name in ("N_TRAIN", "N_VALIDATION", "SIDE"):
        monkeypatch.setattr(images, name, globals()[name])
    write(tmp_path)
    return tmp_path


def test_the_first_images_train_and_the_other_file_validates(small: Path) -> None:
    train, validation = image_data(small, 4, "first", seed=0)
    expected = torch.from_numpy(pixels(N_TRAIN, 0)[:4].reshape(4, -1)).float() / 255
    assert torch.equal(train.x, expected)
    assert train.label.tolist() == [0, 1, 2, 3]
    assert torch.equal(
        (255 * validation.x).round().to(torch.uint8).flatten(),
        torch.from_numpy(pixels(N_VALIDATION, 1).flatten()),
    )
    assert validation.label.tolist() == list(range(N_VALIDATION))


def test_packed_files_are_the_same_images(small: Path) -> None:
    plain = image_data(small, 7, "random", seed=3)
    for path in small.iterdir():
        path.unlink()
    write(small, packed=True)
    packed = image_data(small, 7, "random", seed=3)
    for ours, theirs in zip(packed, plain, strict=True):
        assert torch.equal(ours.x, theirs.x)
        assert torch.equal(ours.label, theirs.label)


def test_a_random_subset_follows_the_seed_and_draws_no_image_twice(small: Path) -> None:
    draws = [image_data(small, N_TRAIN, "random", seed).train for seed in (1, 1, 2)]
    whole = pixels(N_TRAIN, 0).reshape(N_TRAIN, -1)
    assert torch.equal(draws[0].x, draws[1].x)
    assert not torch.equal(draws[0].x, draws[2].x)
    drawn = {tuple(row) for row in (255 * draws[2].x).round().to(torch.int64).tolist()}
    assert drawn == {tuple(row) for row in whole.tolist()}


@pytest.mark.parametrize("n_train", [0, -1, N_TRAIN + 1])
def test_more_images_than_there_are_cannot_train(small: Path, n_train: int) -> None:
    with pytest.raises(InputError, match=f"n_train={n_train}: allowed are 1 to 12"):
        image_data(small, n_train, "first", seed=0)


def test_a_missing_file_is_named_with_what_to_do(small: Path) -> None:
    (small / LABELS).unlink()
    with pytest.raises(InputError, match=rf"no file \S+/{LABELS}: put MNIST's .*not downloaded"):
        image_data(small, 1, "first", seed=0)


def test_a_folder_that_is_none_is_an_error_of_the_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "nowhere", tmp_path / "file", Path("a\0b")):
        with pytest.raises(InputError, match="no file"):
            mnist_part(folder, "train", 1, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with too few bytes, expected 2051 12 3 3"),
        (idx(pixels(N_TRAIN, 0))[:15], "starts with too few bytes"),
        (idx(np.arange(N_TRAIN)), "starts with 2049 12"),
        (idx(pixels(N_TRAIN - 1, 0)), "starts with 2051 11 3 3, expected 2051 12 3 3"),
        (idx(pixels(N_TRAIN, 0)).replace(b"\0\0\0\3", b"\0\0\0\4", 1), "starts with 2051 12 4 3"),
        (struct.pack("<4i", 2051, N_TRAIN, SIDE, SIDE) + bytes(108), "expected 2051 12 3 3"),
        (struct.pack(">4i", 2051, -1, SIDE, SIDE), "starts with 2051 -1 3 3"),
        (idx(pixels(N_TRAIN, 0))[:-1], "shorter than the 124 bytes"),
        (idx(pixels(N_TRAIN, 0)) + b"\0", "longer than the 124 bytes"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_another_form_is_named_in_one_line(
    small: Path, content: bytes, message: str, packed: bool
) -> None:
    path = small / IMAGES
    path.unlink()
    if packed:
        path = small / f"{IMAGES}.gz"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(InputError) as error:
        image_data(small, 1, "first", seed=0)
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    assert message in text
    assert "\n" not in text


def test_a_label_above_nine_is_refused(small: Path) -> None:
    (small / LABELS).write_bytes(idx(np.full(N_TRAIN, 10)))
    with pytest.raises(InputError, match=f"{LABELS}: label 10, expected 0 to 9"):
        image_data(small, 1, "first", seed=0)


@pytest.mark.parametrize("cut", [1, 5, 12, -9, -4, -1])
def test_a_stream_that_is_cut_off_is_refused(small: Path, cut: int) -> None:
    (small / IMAGES).unlink()
    path = small / f"{IMAGES}.gz"
    path.write_bytes(gzip.compress(idx(pixels(N_TRAIN, 0)))[:cut])
    with pytest.raises(InputError, match=r"\.gz: "):
        image_data(small, 1, "first", seed=0)


def test_a_stream_that_unpacks_to_very_much_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(struct.pack(">2i", 2049, 10))
        for _ in range(64):
            file.write(bytes(2**20))
    read = []

    class Counting(gzip.GzipFile):
        def read(self, size: int | None = -1) -> bytes:
            content = super().read(size)
            read.append(len(content))
            return content

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gzip, "open", Counting)
        with pytest.raises(InputError, match="longer than the 18 bytes"):
            read_idx(path, (10,))
    assert read == [19]


def test_a_file_of_a_terabyte_is_read_one_byte_too_far(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.write(struct.pack(">2i", 2049, 10))
        file.truncate(2**40)  # sparse: it takes no room
    with pytest.raises(InputError, match="longer than the 18 bytes"):
        read_idx(path, (10,))


def test_what_is_no_plain_file_is_not_opened(small: Path) -> None:
    (small / LABELS).unlink()
    os.mkfifo(small / LABELS)  # opening it would wait for ever
    with pytest.raises(InputError, match=rf"no file \S+/{LABELS}: "):
        image_data(small, 1, "first", seed=0)


@pytest.mark.parametrize("packed_twice", [b"", b"and more"])
def test_what_follows_a_stream_is_refused(tmp_path: Path, packed_twice: bytes) -> None:
    path = tmp_path / "file.gz"
    whole = gzip.compress(idx(np.arange(40) % 10))
    path.write_bytes(whole + gzip.compress(packed_twice))
    if packed_twice:
        with pytest.raises(InputError, match="longer than the 48 bytes"):
            read_idx(path, (40,))
    else:
        assert len(read_idx(path, (40,))) == 40
    path.write_bytes(whole + b"and more")
    with pytest.raises(InputError, match=r"cannot be read \(Not a gzipped file"):
        read_idx(path, (40,))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    head=st.lists(
        st.integers(-(2**31), 2**31 - 1) | st.sampled_from([2051, 2049, 2, 3]), max_size=5
    ),
    body=st.binary(max_size=20),
    packed=st.booleans(),
)
def test_any_bytes_are_the_images_expected_or_an_error_of_the_input(
    tmp_path: Path, head: list[int], body: bytes, packed: bool
) -> None:
    content = struct.pack(f">{len(head)}i", *head) + body
    path = tmp_path / ("file.gz" if packed else "file")
    path.write_bytes(content)  # not packed: no stream at all where the name says so
    expected = struct.pack(">4i", 2051, 2, 3, 2)
    try:
        found = read_idx(path, (2, 3, 2))
    except InputError as error:
        line = str(error)
    else:
        line = ""
        assert found.tobytes() == content[16:]
    assert bool(line) != (not packed and content[:16] == expected and len(content) == 28)
    assert "\n" not in line


@given(st.binary(max_size=60))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_stream_never_ends_in_another_error(tmp_path: Path, noise: bytes) -> None:
    path = tmp_path / "file.gz"
    whole = gzip.compress(idx(np.arange(40) % 10))
    path.write_bytes(whole[:12] + noise + whole[12 + len(noise) :])
    try:
        assert read_idx(path, (40,)).tolist() == (np.arange(40) % 10).tolist()
    except InputError as error:
        line = str(error)
        assert "\n" not in line


@needs_digits
def test_the_digits_are_sixteenths_of_ten_classes() -> None:
    every = digits()
    assert every.x.shape == (1797, 64)
    assert torch.equal((16 * every.x).round() / 16, every.x)
    assert (float(every.x.min()), float(every.x.max())) == (0, 1)
    counts = every.label.bincount()
    assert (len(counts), int(counts.min()), int(counts.max())) == (10, 174, 183)


@needs_digits
@pytest.mark.parametrize("order", ["first", "random"])
def test_every_digit_is_on_exactly_one_side(order: images.Order) -> None:
    every = digits()
    train, validation = image_data("digits", 200, order, seed=4)
    assert len(train.x) == len(train.label) == 200
    rows = torch.cat(
        [torch.cat([side.x, side.label[:, None].float()], dim=-1) for side in (train, validation)]
    )
    whole = torch.cat([every.x, every.label[:, None].float()], dim=-1)
    assert sorted(rows.tolist()) == sorted(whole.tolist())


@needs_digits
def test_the_digits_that_train_follow_the_seed() -> None:
    first, again, other = (image_data("digits", 100, "random", seed).train.x for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@needs_digits
def test_one_digit_is_left_to_validate() -> None:
    assert len(image_data("digits", 1796, "random", seed=0).validation.x) == 1
    with pytest.raises(InputError, match="n_train=1797: allowed are 1 to 1796"):
        image_data("digits", 1797, "random", seed=0)


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InputError, match=r"pip install 'grokking-lab\[digits\]'$"):
        image_data("digits", 100, "random", seed=0)
