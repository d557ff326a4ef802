"""What it costs to sum up every update."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from grok.config import parse_run
from grok.training import Stack, problem_of
from tests.bench.protocol import ROUNDS, Result, judge

N_STEPS = 10
"""Updates in a block; runs have blocks of up to 100."""


def dynamics_share() -> Iterator[Result]:
    """Time in the sums against that in the updates between them.

    Updates with sums and updates without, one after the other, differ by more than what is sought.
    """
    plain, summed = (
        Stack(problem_of([parse_run("weight_decay", [f"--measures.dynamics.enabled={on}"])]))
        for on in ("false", "true")
    )
    for stack in (plain, summed):
        stack.advance(3)
    assert torch.equal(plain.theta, summed.theta)
    assert summed.sums is not None
    seconds: list[float] = []
    for name in ("begin", "keep_lagged", "add"):
        setattr(summed.sums, name, _timed(getattr(summed.sums, name), seconds))
    shares, milliseconds = [], []
    for _ in range(ROUNDS):
        seconds.clear()
        start = time.process_time()
        summed.advance(N_STEPS)
        whole, inside = time.process_time() - start, sum(seconds)
        shares.append(inside / (whole - inside))
        milliseconds.append(1e3 * inside / N_STEPS)
    what = "p = 113: sums over every update / the updates"
    detail = {"sums (ms per update)": min(milliseconds)}
    yield judge("norm-dynamics", what, shares, "<= 0.05", unit="", detail=detail)


def _timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., None]:
    def timed(*arguments: Any) -> None:
        start = time.process_time()
        function(*arguments)
        seconds.append(time.process_time() - start)

    return timed
