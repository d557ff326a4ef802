"""How precisely float32 matrices are multiplied."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch


@contextmanager
def matmul_precision(name: Literal["highest", "high"]) -> Iterator[None]:
    """Within it products of float32 are of this precision, afterwards of the one before.

    ``high`` lets a CUDA device round factors to TF32, with 10 bits of mantissa for 23; sums stay
    float32. A processor takes from it what it has, most of them nothing.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
