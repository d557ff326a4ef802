"""Tensors from a file that nobody vouches for, taken out one by one."""

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from grok.inputs import InputError

# Half precisions are read exactly into float32: a forward pass in them is another model.
_READ_AS = {
    torch.float64: torch.float64,
    torch.float32: torch.float32,
    torch.float16: torch.float32,
    torch.bfloat16: torch.float32,
}
_NORM = re.compile(r"(^|[._])(ln|norm|layer_?norm|rms_?norm)(\d|[._]|$)", re.IGNORECASE)


def shown(name: object) -> str:
    """A name from a file as one short line; what is no string, by its type."""
    text = ascii(name) if isinstance(name, str) else f"<{type(name).__name__}>"
    return text if len(text) <= 80 else f"{text[:76]}...{text[0]}"


class Weights:
    """Named tensors; each is checked when it is taken, and none may be left in the end.

    Args:
        tensors: As the file has them.
        n_bytes: Size of the file. More than twice as many bytes of weights (twice, as tied
            weights may be stored once) are tensors that repeat each other's numbers.
    """

    def __init__(self, tensors: Mapping[str, Tensor], n_bytes: int) -> None:
        self._left = dict(tensors)
        self._budget = 2 * n_bytes

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._left))

    def __len__(self) -> int:
        return len(self._left)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor that is still there.

        Raises:
            InputError: If the file has no such tensor.
        """
        if name not in self._left:
            raise InputError(f"has no {shown(name)}, which its layout needs")
        return tuple(self._left[name].shape)

    def take(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A copy of a weight, float32 or float64, that shares no memory.

        Raises:
            InputError: If it is missing, has another shape, is no dense real tensor of floating
                point numbers, or has a number that is not finite.
        """
        found = self.shape(name)
        if found != shape:
            raise InputError(f"{shown(name)} has shape {found}; allowed is {shape}")
        tensor = self._left.pop(name).detach()
        is_dense = tensor.layout == torch.strided and tensor.device.type == "cpu"
        if not is_dense or tensor.dtype not in _READ_AS:
            kind = f"{str(tensor.dtype).removeprefix('torch.')} on {tensor.device.type}"
            allowed = "dense float64, float32, float16 and bfloat16"
            raise InputError(f"{shown(name)} is {kind}, {tensor.layout}; allowed are {allowed}")
        needed = tensor.numel() * tensor.element_size()
        self._budget -= needed
        if needed > tensor.untyped_storage().nbytes() or self._budget < 0:
            raise InputError(f"{shown(name)} is larger than what the file stores of it")
        values = tensor.resolve_neg().to(_READ_AS[tensor.dtype])
        copy = values.clone(memory_format=torch.contiguous_format)
        if not bool(copy.isfinite().all()):
            raise InputError(f"{shown(name)} has numbers that are not finite; none are allowed")
        return copy

    def skip(self, name: str) -> Tensor | None:
        """Set a tensor aside that is no weight, unchecked; None if there is none."""
        return self._left.pop(name, None)

    def refuse_norms(self) -> None:
        """Refuse a file that has parameters of norms.

        Raises:
            InputError: Naming one of them.
        """
        for name in self._left:
            if _NORM.search(name):
                raise InputError(
                    f"{shown(name)} is of a norm, of which the file does not say what reads it; "
                    "allowed are models without norms"
                )

    def finish(self) -> None:
        """Refuse a file with tensors that nobody took.

        Raises:
            InputError: Naming one of them.
        """
        for name in self._left:
            raise InputError(f"{shown(name)} has no place in the layout that the other names are")


def same_dtype(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Parameters in the widest of their types; a model computes in one."""
    is_double = any(x.dtype == torch.float64 for x in parameters.values())
    return {n: x.double() if is_double else x for n, x in parameters.items()}
