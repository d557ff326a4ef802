"""How many runs a stack on a CUDA device has room for."""

from collections.abc import Callable, Sequence

import torch

from grok.config import RunConfig
from grok.lit.families import measure_callbacks
from grok.training import Stack, problem_of

SHARE = 0.85
"""Of the memory that is free; what a stack needs grows in steps, and libraries take some."""


def capacity(configs: Sequence[RunConfig], device: torch.device) -> int:
    """How many of these runs can be one stack; all of them on a CPU.

    What a run needs is measured: an update and every reading of stacks of one and of two.

    Args:
        configs: Runs that can share a stack.
        device: Where they will be trained.
    """
    if device.type != "cuda" or len(configs) <= 2:
        return len(configs)
    free, _ = torch.cuda.mem_get_info(device)
    return room(len(configs), free, lambda n: peak_memory(configs[:n], device))


def room(n_runs: int, free: int, peak: Callable[[int], int]) -> int:
    """How many of ``n_runs`` fit into so many bytes, by the peaks of stacks of one and of two.

    Returns:
        1 at least.
    """
    one, two = peak(1), peak(2)
    each = max(two - one, 1)
    return max(1, min(n_runs, int(SHARE * free - (one - each)) // each))


def peak_memory(configs: Sequence[RunConfig], device: torch.device) -> int:
    """Bytes that a stack needs on a CUDA device at most: of an update and of readings, added up.

    What a recorded update needs stays its own, and readings cannot have it.
    """
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    stack = Stack(problem_of(configs, device))
    stack.advance(1)
    of_update = torch.cuda.max_memory_allocated(device) - before
    stays = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    snapshot = stack.snapshot()
    with torch.no_grad():
        for callback in measure_callbacks(configs[0]).values():
            if not callback.is_afterwards:
                callback.measure(snapshot)
    return of_update + torch.cuda.max_memory_allocated(device) - stays
