"""Whatever is in a file: it is refused in one line or is a finite model, and no code runs."""

import io
import os
import pickle
import random
import re
import struct
import tarfile
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch._utils import _rebuild_tensor_v2

from grok.formats import read_checkpoint, write_checkpoint
from grok.formats.checkpoint import Format
from grok.inputs import InputError
from grok.models.transformer import Transformer
from tests.formats.samples import State, published, transformer_lens


def refusal(path: Path, **given: Any) -> str:
    """The one line with which the file is refused."""
    with pytest.raises(InputError) as caught:
        read_checkpoint(path, **given)
    text = str(caught.value)
    assert text.isprintable()
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


class Trap:
    """What unpickling would run: it leaves a mark beside the file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.mark),)


class Call:
    """What unpickling would call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("place", ["value", "key beside", "bare pickle", "protocol 4", "legacy"])
def test_code_in_a_file_is_never_run(place: str, tmp_path: Path) -> None:
    path, mark = tmp_path / "m.pth", tmp_path / "mark"
    state: dict[str, Any] = dict(transformer_lens(7))
    if place == "value":
        torch.save(state | {"embed.W_E": Trap(mark)}, path)
    elif place == "key beside":
        torch.save({"model": state, "config": Trap(mark)}, path)
    elif place == "bare pickle":
        path.write_bytes(pickle.dumps(Trap(mark)))
    elif place == "protocol 4":
        torch.save(state | {"x": Trap(mark)}, path, pickle_protocol=4)
    else:
        torch.save(state | {"x": Trap(mark)}, path, _use_new_zipfile_serialization=False)
    assert "which is never run" in refusal(path) or "never loaded" in refusal(path)
    assert not mark.exists()


def test_the_trap_works() -> None:
    with pytest.raises(FileNotFoundError):
        pickle.loads(pickle.dumps(Trap(Path("/absent/mark"))))


def rebuilt(*size: int, stride: tuple[int, ...], offset: int = 0) -> Call:
    """A tensor of one stored number, as a pickle may claim it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        storage = torch.zeros(1).storage()
    arguments = storage, offset, size, stride, False, OrderedDict()
    return Call(_rebuild_tensor_v2, *arguments)


NO_WEIGHT: dict[str, tuple[Callable[[], Any], str]] = {
    "endless": (lambda: rebuilt(10**9, 10**9, stride=(0, 0)), "has 1000000000 of d_model"),
    "repeated": (lambda: rebuilt(8, 8, stride=(0, 0)), "larger than what the file stores of it"),
    "beyond": (lambda: rebuilt(8, 8, stride=(8, 1)), "does not describe tensors"),
    "before": (lambda: rebuilt(8, 8, stride=(8, 1), offset=-1), "does not describe tensors"),
    "bytearray": (lambda: Call(bytearray, 10**13), "bytearray', which is never run"),
    "sparse": (lambda: torch.zeros(8, 8).to_sparse(), "_rebuild_sparse_tensor', which is never"),
    "meta": (lambda: torch.zeros(8, 8, device="meta"), "which is never run"),
    "complex": (lambda: torch.zeros(8, 8, dtype=torch.complex64), "which is never run"),
    "quantised": (
        lambda: torch.quantize_per_tensor(torch.zeros(8, 8), 0.1, 0, torch.qint8),
        "which is never run",
    ),
    "bool": (lambda: torch.zeros(8, 8, dtype=torch.bool), "is bool on cpu"),
    "int64": (lambda: torch.zeros(8, 8, dtype=torch.int64), "is int64 on cpu"),
    "nan": (lambda: torch.full((8, 8), torch.nan), "not finite"),
    "inf": (lambda: torch.full((8, 8), -torch.inf), "not finite"),
    "number": (lambda: 1.5, "no layout we know"),
}


@pytest.mark.parametrize(("value", "message"), NO_WEIGHT.values(), ids=NO_WEIGHT.keys())
def test_what_is_no_dense_finite_matrix_is_no_weight(
    value: Callable[[], Any], message: str, tmp_path: Path
) -> None:
    state: dict[str, Any] = dict(transformer_lens(7))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # quantised tensors are deprecated
        torch.save(state | {"embed.W_E": value()}, tmp_path / "m.pth")
    assert message in refusal(tmp_path / "m.pth")


def test_a_type_that_our_pickles_may_not_name_is_no_weight_in_safetensors(tmp_path: Path) -> None:
    for dtype in (torch.float8_e4m3fn, torch.complex64, torch.uint8):
        state = transformer_lens(7) | {"embed.W_E": torch.zeros(8, 8).to(dtype)}
        save_file(state, tmp_path / "m")
        assert "allowed are dense float64" in refusal(tmp_path / "m")


def test_layers_that_repeat_one_another_do_not_outgrow_the_file(tmp_path: Path) -> None:
    state = transformer_lens(7, d=32, m=256)
    layer = {n.removeprefix("blocks.0."): x for n, x in state.items() if n.startswith("blocks.")}
    for i in range(1, 20):
        state |= {f"blocks.{i}.{name}": x for name, x in layer.items()}
    torch.save(state, tmp_path / "m.pth")
    assert "is larger than what the file stores of it" in refusal(tmp_path / "m.pth")


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    return buffer.getvalue()


def header(length: int, text: bytes) -> bytes:
    return struct.pack("<Q", length) + text


HUGE = b'{"W_E":{"dtype":"F64","shape":[99999999999,8],"data_offsets":[0,6399999999936]}}'
FOREIGN = {
    "empty": (b"", "has 0 bytes"),
    "text": (b"epoch,loss\n0,4.7\n", "is neither safetensors nor"),
    "tar": (tar(), "is neither safetensors nor"),
    "pickled list": (pickle.dumps([1.0]), "is a bare pickle"),
    "another zip": (zipped({"a.txt": b"a"}), "not one of torch.save"),
    "two pickles": (zipped({"a/data.pkl": b"", "b/data.pkl": b""}), "not one of torch.save"),
    "compressed": (zipped({"a/data.pkl": bytes(10**7)}, zipfile.ZIP_DEFLATED), "compressed"),
    "program": (zipped({"a/data.pkl": b"", "a/constants.pkl": b""}), "TorchScript"),
    "no opcodes": (zipped({"a/data.pkl": b"\x80\x02"}), "damaged"),
    "a number": (zipped({"a/data.pkl": b"\x80\x02K\x01."}), "damaged|holds a int"),
    "huge header": (header(2**62, b"{}"), "damaged safetensors"),
    "huge tensor": (header(len(HUGE), HUGE), "damaged safetensors"),
    "deep header": (header(10**5, b'{"a":' * 20000), "damaged safetensors"),
}


@pytest.mark.parametrize(("data", "message"), FOREIGN.values(), ids=FOREIGN.keys())
def test_files_of_another_kind_are_refused(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    path.write_bytes(data)
    assert re.search(message, refusal(path))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "is a directory" in refusal(tmp_path)
    assert "No such file" in refusal(tmp_path / "absent")
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")


def test_the_message_is_one_line_whatever_the_names(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines"
    torch.save({"a\nb" * 1000: torch.zeros(2)}, path)
    with pytest.raises(InputError, match="no layout we know") as caught:
        read_checkpoint(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("loaded", [{}, {"a": 1}, [1], {"model": {"a": 2}}, {1: torch.zeros(2)}])
def test_a_file_without_weights_says_what_it_has(loaded: Any, tmp_path: Path) -> None:
    torch.save(loaded, tmp_path / "m.pth")
    assert "holds" in refusal(tmp_path / "m.pth")


def test_values_that_unfold_without_end_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("grok.formats.contents._MAX_VALUES", 1000)
    bomb: list[Any] = [0.5]
    for _ in range(5):
        bomb = [bomb] * 100
    cycle: dict[str, Any] = {"a": 1}
    cycle["itself"] = cycle
    beside = {"bomb": bomb, "cycle": cycle, "epoch": 3}
    torch.save({"model": transformer_lens(7), **beside}, tmp_path / "m.pth")
    found = read_checkpoint(tmp_path / "m.pth")
    assert found.step == 3
    assert "bomb" not in found.extras


def described(text: str, path: Path) -> Path:
    """One of our own files whose metadata say this of the model."""
    save_file(published().parameters, path, {"grok_config": text})
    return path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 10**5,
        "{}",
        '{"norm": {}, "n_layers": "1"}',
        '{"norm": {}, "n_layers": 1000000000}',
        '{"norm": {}, "d_model": true}',
        '{"norm": {"eps": NaN}}',
        '{"norm": {}, "colour": 1}',
        '{"norm": {}, "act": "tanh"}',
        '{"norm": {}, "n_heads": 3}',
    ],
)
def test_a_false_description_is_refused(text: str, tmp_path: Path) -> None:
    refusal(described(text, tmp_path / "m.safetensors"))


FLIPPED: list[tuple[Format, str]] = [
    ("grok", "m.safetensors"),
    ("transformer_lens", "m.safetensors"),
    ("progress_measures", "m.pth"),
    ("torch", "m.pth"),
]


@pytest.mark.parametrize(("to", "name"), FLIPPED)
def test_a_flipped_bit_or_a_cut_is_refused_or_leaves_a_finite_model(
    to: Format, name: str, tmp_path: Path
) -> None:
    """10 bits, 4 lengths and, where no checksum tells, 10 bits of the pickle."""
    path, rng = tmp_path / name, random.Random(to)
    write_checkpoint(path, published(n=3, d_model=2, n_heads=1, d_mlp=1), to)
    whole = path.read_bytes()
    damaged = [flipped(whole, rng) for _ in range(10)]
    damaged += [whole[: rng.randrange(len(whole))] for _ in range(4)]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            entries = {entry: archive.read(entry) for entry in archive.namelist()}
        key = next(entry for entry in entries if entry.endswith("/data.pkl"))
        damaged += [zipped(entries | {key: flipped(entries[key], rng)}) for _ in range(10)]
    outcomes = set()
    for data in damaged:
        path.write_bytes(data)
        outcomes.add(outcome(path))
    assert outcomes in ({"refused"}, {"refused", "read"})


def flipped(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one bit changed."""
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def outcome(path: Path) -> str:
    """Whether a file is refused; if not it must be a whole finite model."""
    try:
        found = read_checkpoint(path, n_heads=1)
    except InputError as error:
        return "refused" if str(error).isprintable() else "refused in several lines"
    shapes = Transformer(found.config, found.n).shapes()
    values: State = found.parameters
    assert {n: tuple(x.shape) for n, x in values.items()} == shapes
    assert all(isinstance(x, Tensor) and bool(x.isfinite().all()) for x in values.values())
    return "read"
