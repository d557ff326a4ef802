"""What a file holds, before anybody asks which model it is."""

import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import safe_open
from torch import Tensor

from grok.formats.archive import ForeignConfig, load_archive
from grok.formats.weights import shown
from grok.inputs import InputError

MAX_BYTES = 4 * 2**30
"""Largest file that is opened: a hundred states of a model far larger than the papers'."""

CONFIG = "grok_config"
"""Key in the metadata of safetensors under which we put the config."""

_MODEL = ("model", "state_dict", "model_state_dict")
_SERIES = {"state_dicts": "epochs", "checkpoints": "checkpoint_epochs"}
_NOT_EXTRA = {*_MODEL, *_SERIES, "optimizer", "scheduler", "opt_checkpoints", "rng"}
_MAX_VALUES = 2_000_000
_MAX_DEPTH = 8


class Contents(NamedTuple):
    """The content of one file."""

    tensors: dict[str, Tensor]
    """The state of the model, unchecked."""
    step: int | None
    """Number that the file gives this state."""
    settings: dict[str, Any]
    """Plain values of what the file calls its configuration."""
    extras: dict[str, Any]
    """Other plain values: numbers, strings, lists and dicts of them."""
    config: str | None
    """Text of a config of ours, which files that we converted have."""
    n_bytes: int
    """Size of the file."""


def read_contents(path: Path, step: int | None) -> Contents:
    """Read a file of safetensors or ``torch.save``, told apart by its first bytes.

    Args:
        path: The file.
        step: Which state of a file with several; None is its model, or else the last of them.

    Raises:
        InputError: If the file cannot be used; the message lacks the file's name.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError("is a directory; allowed is a file")
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
            raise InputError("is not a regular file")
        if not 0 < status.st_size <= MAX_BYTES:
            raise InputError(f"has {status.st_size} bytes; allowed are 1 to {MAX_BYTES}")
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from error
    # The first eight bytes of safetensors are a length, and may look like anything.
    if head[8:] == b"{":
        return _from_safetensors(path, step, status.st_size)
    if head.startswith(b"PK\x03\x04"):
        return _from_archive(load_archive(path, status.st_size), step, status.st_size)
    if head.startswith(b"\x80"):
        raise InputError(
            "is a bare pickle, as torch.save wrote before 1.6, and is never loaded; allowed are "
            "safetensors and the zip files that torch.save writes now"
        )
    raise InputError("is neither safetensors nor a zip file of torch.save, which are allowed")


def _from_safetensors(path: Path, step: int | None, n_bytes: int) -> Contents:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            names = [n for n in file.keys() if not n.startswith("optim/")]  # noqa: SIM118
            tensors = {name: file.get_tensor(name) for name in names}
    except Exception as error:  # types that torch lacks are not a SafetensorError
        raise InputError("is a damaged safetensors file") from error
    text = metadata.pop("step", "")
    stored = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    _check_step(step, [] if stored is None else [stored])
    config = metadata.pop(CONFIG, None)
    return Contents(tensors, stored, {}, metadata, config, n_bytes)


def _from_archive(loaded: Any, step: int | None, n_bytes: int) -> Contents:
    if not isinstance(loaded, Mapping):
        raise InputError(f"holds a {type(loaded).__name__}; allowed is a dict of tensors")
    state, found = _state(loaded, step)
    tensors = {n: x for n, x in state.items() if isinstance(n, str) and isinstance(x, Tensor)}
    if not tensors:
        listed = ", ".join(shown(name) for name in list(loaded)[:5])
        allowed = "a state dict, alone or under " + ", ".join(_MODEL)
        raise InputError(f"holds no state dict, but {listed or 'nothing'}; allowed is {allowed}")
    extras = _extras({name: x for name, x in loaded.items() if name not in tensors})
    config = extras.get("config")
    settings = config if isinstance(config, dict) else {}
    return Contents(tensors, found, settings, extras, None, n_bytes)


def _state(loaded: Mapping[Any, Any], step: int | None) -> tuple[Mapping[Any, Any], int | None]:
    """The state dict that is meant, and its number."""
    own = next((loaded[n] for n in _MODEL if isinstance(loaded.get(n), Mapping)), None)
    number = next((loaded[n] for n in ("step", "epoch") if type(loaded.get(n)) is int), None)
    series = _series(loaded)
    if step is not None and step in series:
        return series[step], step
    if own is None and series and step is None:
        return series[max(series)], max(series)
    _check_step(step, [*series] if number is None else [*series, number])
    return loaded if own is None else own, number


def _series(loaded: Mapping[Any, Any]) -> dict[int, Mapping[Any, Any]]:
    """States of a run by their number, where the file has several."""
    for states, numbers in _SERIES.items():
        each, number = loaded.get(states), loaded.get(numbers)
        if isinstance(number, Tensor) and number.ndim == 1:
            number = number.tolist()
        if isinstance(each, list) and isinstance(number, list | range) and len(each) == len(number):
            pairs = zip(number, each, strict=True)
            return {n: x for n, x in pairs if type(n) is int and isinstance(x, Mapping)}
    return {}


def _check_step(step: int | None, allowed: list[int]) -> None:
    if step is not None and step not in allowed:
        listed = [*map(str, allowed[:3]), "...", str(allowed[-1])] if len(allowed) > 4 else allowed
        text = ", ".join(map(str, listed)) or "none, as the file does not number its state"
        raise InputError(f"has no state {step}; allowed are {text}")


def _extras(values: Mapping[Any, Any]) -> dict[str, Any]:
    """The entries that are plain values or one-dimensional tensors, these as lists."""
    budget = _Budget()
    kept = {}
    for name, value in values.items():
        if not isinstance(name, str) or name in _NOT_EXTRA:
            continue
        if isinstance(value, Tensor):
            is_list = value.ndim <= 1 and value.numel() <= value.untyped_storage().nbytes()
            value = value.tolist() if is_list and not value.is_complex() else None
        with suppress(_NotPlainError):
            kept[name] = budget.copy(value)
    return {name: value for name, value in kept.items() if value is not None}


class _NotPlainError(Exception):
    """A value that is not made of numbers, strings, lists and dicts alone."""


class _Budget:
    """Copies plain values, a bounded number: references may unfold into more than there is."""

    def __init__(self) -> None:
        self._left = _MAX_VALUES

    def copy(self, value: Any, depth: int = 0) -> Any:
        """The value without subclasses and shared parts; dicts lose what is not plain in them."""
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise _NotPlainError
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, list | tuple):
            return [self.copy(each, depth + 1) for each in value]
        if isinstance(value, ForeignConfig):
            value = vars(value)
        if not isinstance(value, dict):
            raise _NotPlainError
        kept = {}
        for name, each in value.items():
            if type(name) in (str, int):
                with suppress(_NotPlainError):
                    kept[name] = self.copy(each, depth + 1)
        return kept
