"""An update as one program of the device, which the host only starts.

A single update of a small network is hundreds of kernels, and on a CUDA device most of its time is
the host's, which launches them one by one. Where every update is the same program they are recorded
once, as a CUDA graph, and replayed: what differs from one update to the next, its number and the
share of the learning rate, are numbers on the device.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from grok.config.rate import rate_factor

if TYPE_CHECKING:
    from grok.training.stack import Stack

_WARM_UP = 3
"""Updates before a recording: libraries choose their kernels and reserve memory in them."""


def can_be_captured(stack: "Stack") -> bool:
    """Whether every update of a stack is the same program, with nothing drawn by the host."""
    is_plain = stack.config.optim.kind != "adafactor" and stack.sums is None
    return is_plain and stack.problem.is_fixed


class CapturedUpdate:
    """One update of a stack, recorded on a CUDA device; elsewhere the same calls, one by one.

    Args:
        stack: Runs of which :func:`can_be_captured` is true. Its tensors keep their places.

    Raises:
        RuntimeError: If the device cannot record it; the stack is as it was.
    """

    def __init__(self, stack: "Stack") -> None:
        self.stack = stack
        self.t = torch.zeros((), dtype=torch.int64, device=stack.device)
        is_cuda = stack.device.type == "cuda"
        self._replay: Callable[[], None] = self._recorded() if is_cuda else self._update

    def __call__(self, step: int) -> None:
        """Do the update of this number (from 0), without waiting for it."""
        self.t.fill_(step)
        self.stack.optimizer.rate.fill_(rate_factor(self.stack.config.optim, step))
        self._replay()

    def _update(self) -> None:
        self.stack.update_at(self.t)

    def _state(self) -> list[Tensor]:
        """Whatever an update changes."""
        stack = self.stack
        return [stack.theta, stack.alive, stack.ended, *stack.optimizer.state.values()]

    def _recorded(self) -> Callable[[], None]:
        """Record the update. What the first ones changed is put back."""
        before = [tensor.clone() for tensor in self._state()]
        graph, side = torch.cuda.CUDAGraph(), torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(side):
                for _ in range(_WARM_UP):
                    self._update()
            torch.cuda.current_stream().wait_stream(side)
            with torch.cuda.graph(graph):
                self._update()
        finally:
            for tensor, kept in zip(self._state(), before, strict=True):
                tensor.copy_(kept)
        return graph.replay


def captured_update(stack: "Stack") -> CapturedUpdate | None:
    """The stack's update recorded, where the device can and every update is the same program.

    A device that cannot is told of in one line, and its updates are launched one by one: the same
    numbers, slower.
    """
    if stack.device.type != "cuda" or not can_be_captured(stack):
        return None
    try:
        return CapturedUpdate(stack)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        why = str(error).splitlines()[0]
        print(f"grok: updates are not recorded as a CUDA graph: {why}", file=sys.stderr)
        return None
