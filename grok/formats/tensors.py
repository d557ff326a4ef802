"""Tensors of a checkpoint of any model, by name, read one at a time where the file allows it.

Nothing is asked of the model behind them: sums over parameters need their names and numbers only.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from grok.formats.contents import read_contents
from grok.formats.weights import shown
from grok.inputs import InputError

SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
"""Names of files that may hold a checkpoint."""

_STEMS = (("model", ".safetensors"), ("pytorch_model", ".bin"))
"""Weights in a folder of Hugging Face, the preferred first: alone, or in parts with an index."""
_MAX_INDEX = 64 * 2**20


class Tensors(Mapping[str, Tensor]):
    """Named tensors, each read when it is asked for."""

    def __init__(self, readers: Mapping[str, Callable[[], Tensor]]) -> None:
        self._readers = readers

    def __getitem__(self, name: str) -> Tensor:
        """Read a tensor.

        Raises:
            InputError: If the file turns out damaged.
        """
        read = self._readers[name]
        try:
            return read()
        except Exception as error:  # types that torch lacks are not a SafetensorError
            raise InputError(f"{shown(name)} cannot be read: the file is damaged") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)


def open_tensors(path: Path) -> Tensors:
    """The tensors of a file or of a folder as Hugging Face writes it.

    Safetensors are read in place, tensor by tensor. Files of ``torch.save`` are read whole by
    :func:`grok.formats.contents.read_contents`, which never runs what is in them; of a Lightning
    checkpoint it is the state of the module. The moments in our own checkpoints are left out.

    Args:
        path: A file whose name ends in one of :data:`SUFFIXES`, or a folder with weights.

    Returns:
        All tensors, buffers that the file stores included.

    Raises:
        InputError: If there are no weights or they cannot be used; names the file, not its folder.
    """
    readers: dict[str, Callable[[], Tensor]] = {}
    for file in weight_files(path) if path.is_dir() else [path]:
        found = _readers(file)
        if twice := readers.keys() & found.keys():
            raise InputError(f"{file.name} repeats {shown(min(twice))} of another file")
        readers |= found
    if not readers:
        raise InputError("has no tensor")
    return Tensors(readers)


def weights_among(names: Collection[str]) -> list[str]:
    """Which files of a folder are its weights, the index of several parts first.

    Safetensors are preferred to files of ``torch.save``; of other names the only one with a known
    suffix will do.

    Raises:
        InputError: If there are none, or several and none has a name of Hugging Face.
    """
    for stem, suffix in _STEMS:
        index = f"{stem}{suffix}.index.json"
        if index in names:
            part = re.compile(rf"{stem}-\d+-of-\d+{re.escape(suffix)}")
            return [index, *sorted(name for name in names if part.fullmatch(name))]
        if f"{stem}{suffix}" in names:
            return [f"{stem}{suffix}"]
    found = sorted(name for name in names if name.endswith(SUFFIXES))
    if len(found) == 1:
        return found
    if found:
        raise InputError(f"has {', '.join(found[:3])}; allowed is one file, or model.safetensors")
    raise InputError("has no weights; allowed are model.safetensors, pytorch_model.bin or one file")


def weight_files(folder: Path) -> list[Path]:
    """Files with the weights of a folder.

    Raises:
        InputError: As :func:`weights_among`; if one that the index names is missing.
    """
    chosen = weights_among([entry.name for entry in folder.iterdir() if entry.is_file()])
    if not chosen[0].endswith(".index.json"):
        return [folder / chosen[0]]
    named = _indexed(folder / chosen[0])
    if missing := [name for name in named if name not in chosen[1:]]:
        raise InputError(f"lacks {shown(missing[0])}, which {chosen[0]} names")
    return [folder / name for name in named]


def _indexed(index: Path) -> list[str]:
    """Names of the files that an index names."""
    try:
        if index.stat().st_size > _MAX_INDEX:
            raise InputError(f"{index.name} has more than {_MAX_INDEX} bytes")
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return sorted({str(name) for name in places.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{index.name} is no index of weights") from error


def _readers(file: Path) -> dict[str, Callable[[], Tensor]]:
    """A reader for each tensor of one file."""
    if not file.is_file():
        raise InputError(f"{file.name} is no file")
    if file.suffix == ".safetensors":
        try:
            # Open for as long as one of its tensors may be read.
            handle = safe_open(file, framework="pt")
            names = [n for n in handle.keys() if not n.startswith("optim/")]  # noqa: SIM118
        except Exception as error:  # as above
            raise InputError(f"{file.name} is a damaged safetensors file") from error
        return {name: lambda name=name: handle.get_tensor(name) for name in names}
    try:
        tensors = read_contents(file, None).tensors
    except InputError as error:
        raise InputError(f"{file.name} {error}") from error
    return {name: lambda name=name: tensors[name] for name in tensors}
