"""Files of ``torch.save``: a zip archive of one pickle and the bytes of the tensors.

Three walls, each sufficient against code: only names on our list may occur in the pickle, torch's
``weights_only`` reader calls nothing but what rebuilds tensors, and classes of other projects are
replaced by one that has attributes and nothing else. The archive is copied entry by entry before
torch sees it: so torch reads what was checked, and every checksum is verified.
"""

import pickletools
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any

import torch

from grok.formats.weights import shown
from grok.inputs import InputError

MAX_PICKLE = 64 * 2**20
"""Most bytes of a pickle: a run of 500 states has one of about 1 MB."""

_IN_MEMORY = 2**25
"""Most bytes of a copy that is held in memory; a larger one is a temporary file."""

_STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
_DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "bool")
_CONFIG = tuple(
    f"transformer_lens.{module}HookedTransformerConfig.HookedTransformerConfig"
    for module in ("", "config.")
)
_ALLOWED = {
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    "torch.nn.parameter.Parameter",
    "torch.Size",
    "torch.device",
    *(f"torch.{name}Storage" for name in _STORAGES),
    *(f"torch.{name}" for name in _DTYPES),
    *_CONFIG,
}
# Other ways in which a pickle names something importable, none of which torch writes.
_OTHER_NAMES = {"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX"}


class ForeignConfig:
    """In place of a configuration class of another project: its attributes, none of its code."""


def load_archive(path: Path, n_bytes: int) -> Any:
    """What was saved, as plain containers, tensors and :class:`ForeignConfig`.

    Args:
        path: A file that begins like a zip archive.
        n_bytes: Its size; the entries may not declare more.

    Raises:
        InputError: If it is damaged, or is anything but the zip archive that ``torch.save``
            writes, or names anything that is not on our list. Nothing was run then.
    """
    copy = _checked_copy(path, n_bytes)
    with copy, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with torch.serialization.safe_globals([(ForeignConfig, name) for name in _CONFIG]):
                return torch.load(copy, map_location="cpu", weights_only=True)
        except Exception as error:  # whatever a malformed pickle raises in any reader
            raise InputError("is damaged: its pickle does not describe tensors") from error


def _checked_copy(path: Path, n_bytes: int) -> IO[bytes]:
    """The archive, read whole and written anew."""
    copy = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - its reader closes it
    try:
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w") as target:
            _check_entries(source.infolist(), n_bytes)
            for entry in source.infolist():
                data = source.read(entry)
                if _is_pickle(entry):
                    _check_pickle(data)
                target.writestr(entry.filename, data)
    except Exception as error:  # zipfile has a dozen ways to stumble over a bad header
        copy.close()
        if isinstance(error, InputError):
            raise
        raise InputError("is a damaged archive of torch.save") from error
    copy.seek(0)
    return copy


def _is_pickle(entry: zipfile.ZipInfo) -> bool:
    return entry.filename.rpartition("/")[2] == "data.pkl"


def _check_entries(entries: list[zipfile.ZipInfo], n_bytes: int) -> None:
    """Refuse archives that torch.save does not write, by their table of contents alone."""
    names = [entry.filename for entry in entries]
    pickles = [entry for entry in entries if _is_pickle(entry)]
    if any(name.endswith("constants.pkl") or "/code/" in name for name in names):
        raise InputError("is a TorchScript program; allowed are state dicts, which have no code")
    if len(pickles) != 1 or len(set(names)) != len(names):
        raise InputError("is a zip archive, but not one of torch.save")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise InputError("is a compressed archive, which torch.save does not write")
    if sum(entry.file_size for entry in entries) > n_bytes:
        raise InputError(f"declares more than the {n_bytes} bytes that it has")
    if pickles[0].file_size > MAX_PICKLE:
        size = f"{pickles[0].file_size} bytes of pickle"
        raise InputError(f"has {size}; allowed are {MAX_PICKLE}")


def _check_pickle(data: bytes) -> None:
    """Refuse a pickle that names anything not on our list, without running it."""
    for opcode, argument, _ in pickletools.genops(data):
        named = str(argument).replace(" ", ".", 1)
        if opcode.name in _OTHER_NAMES or (opcode.name == "GLOBAL" and named not in _ALLOWED):
            what = shown(named) if opcode.name == "GLOBAL" else f"a {opcode.name} instruction"
            raise InputError(
                f"holds {what}, which is never run; allowed are tensors and plain values, as in "
                "torch.save(model.state_dict(), file)"
            )
