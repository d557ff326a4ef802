"""What a reading of the saturated network costs, in forward passes."""

import time
from collections.abc import Callable, Iterator

import torch

from grok.config import parse_run
from grok.data.pairs import pair_data
from grok.measures import MEASURES
from grok.metrics.homogeneity import scaled
from grok.models.config import has_tables
from grok.models.forms import token_forward
from grok.training import PairProblem, Stack
from grok.training.memory import keep_freed_memory
from grok.training.probe import CHUNK
from tests.bench.protocol import ROUNDS, Result, judge


def saturation_reading() -> Iterator[Result]:
    """The family's readings over one pass of all pairs in float64, which theirs are in.

    What the probe reads anyway is there before the clock starts. Everything that the family adds
    counts: passes, cosines, losses of the saturated networks. The pass is that of training and
    probe, from tables of tokens, and answers alone are computed.
    """
    keep_freed_memory()  # as a run does
    config = parse_run("weight_decay")
    stack = Stack(PairProblem([config], [pair_data(config.data)]))
    stack.advance(3)
    _assert_same_answers(stack)
    measure, params = MEASURES["saturation"], scaled(stack.params, 1.0)
    ratios, readings, passes = [], [], []
    for _ in range(1 + ROUNDS):
        snapshot = stack.snapshot()
        assert snapshot.predictions
        readings.append(_seconds(lambda s=snapshot: measure(s)))
        passes.append(_seconds(lambda: _forward(stack.problem, params)))
        ratios.append(readings[-1] / passes[-1])
    detail = {"reading (ms)": 1e3 * min(readings[1:]), "pass (ms)": 1e3 * min(passes[1:])}
    what = "p = 113: saturation of a run / a pass of all pairs"
    yield judge("saturation", what, ratios[1:], "<= 3", unit="passes", detail=detail)


@torch.no_grad()
def _forward(pairs: PairProblem, params: dict[str, torch.Tensor]) -> torch.Tensor:
    """Logits of all pairs in the pieces that the probe has."""
    pieces = zip(pairs.a.split(CHUNK, dim=1), pairs.b.split(CHUNK, dim=1), strict=True)
    found = [token_forward(pairs.model, params, a, b).logits[:, :, -1] for a, b in pieces]
    return torch.cat(found, dim=1)


def _assert_same_answers(stack: Stack[PairProblem]) -> None:
    """The pass gives what the probe does, whose forward pass is in single precision."""
    pairs = stack.problem
    assert has_tables(pairs.model.config)
    logits = pairs.readout(_forward(pairs, scaled(stack.params, 1.0)), rows=None)
    ours, _ = stack.snapshot().predictions["test"]
    torch.testing.assert_close(
        ours.double(), logits[:, pairs.test[0]], rtol=1e-3, atol=1e-4 * float(logits.abs().max())
    )


def _seconds(call: Callable[[], object]) -> float:
    """CPU time of one call, a tenth of a second or more."""
    start = time.process_time()
    call()
    return time.process_time() - start
