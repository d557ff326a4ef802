"""What it costs to sum up every update."""

from collections.abc import Iterator

import torch

from grok.config import parse_run
from grok.training import Stack, problem_of
from tests.bench.protocol import Result, interleaved, judge

N_STEPS = 20
"""Updates in a block; runs have blocks of up to 100."""


def dynamics_share() -> Iterator[Result]:
    """Updates with norm dynamics and without, which end at the same parameters."""
    plain, summed = (
        Stack(problem_of([parse_run("weight_decay", [f"--measures.dynamics.enabled={on}"])]))
        for on in ("false", "true")
    )
    for stack in (plain, summed):
        stack.advance(3)
    assert torch.equal(plain.theta, summed.theta)
    assert summed.sums is not None
    table = interleaved(
        {"plain": lambda: plain.advance(N_STEPS), "summed": lambda: summed.advance(N_STEPS)}
    )
    shares = [row["summed"] / row["plain"] - 1 for row in table]
    milliseconds = {f"{n} (ms)": 1e3 * min(r[n] for r in table) / N_STEPS for n in table[0]}
    yield judge(
        "norm-dynamics",
        "p = 113: sums over every update / training",
        shares,
        "<= 0.05",
        unit="",
        detail=milliseconds,
    )
