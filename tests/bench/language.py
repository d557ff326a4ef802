"""What a language model of the first size costs: beside a plain loop, and as a whole run."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from grok.config import RunConfig, parse_run
from grok.data.text import Rows
from grok.lit.train import train
from grok.models.init import initial_parameters
from grok.models.shapes import Tokens
from grok.training import LanguageProblem, Stack
from grok.training.memory import keep_freed_memory
from tests.bench.protocol import Result, interleaved, judge
from tests.plain import PlainTransformer, plain_optimizer

N_STEPS = 2000
N_WORDS = 210_000
"""Words of each part: as many as the validation part of WikiText-2 has."""


def _text(folder: Path) -> str:
    """A text of made-up words, a few of them frequent; the time of an update knows no words."""
    generator = torch.Generator().manual_seed(0)
    for part in ("valid", "test"):
        frequency = 1 / torch.arange(1, 2001)
        words = torch.multinomial(frequency, N_WORDS, replacement=True, generator=generator)
        lines = (" ".join(f"w{w}" for w in line.tolist()) for line in words.split(100))
        (folder / f"{part}.txt").write_text("\n".join(lines), encoding="utf-8")
    return f"--text.directory={folder}"


class _Loop:
    """The same network as a module of torch, with its own AdamW; it evaluates nothing."""

    def __init__(self, problem: LanguageProblem) -> None:
        config, data = problem.config, problem.data
        reads = Tokens(data.n_tokens, config.text.length, data.n_classes)
        self.net = PlainTransformer(config.model, reads)
        self.net.load(initial_parameters(problem.model, config.model.init_seed))
        self.net.float()
        self.optimizer = plain_optimizer(config, self.net)
        self.problem, self.n_steps = problem, 0

    def loss(self) -> Tensor:
        rows: Rows = self.problem.batch(self.n_steps)[0]
        logits = self.net(rows.inputs).logits
        return F.cross_entropy(logits.flatten(0, 1), rows.labels.flatten())

    def step(self) -> None:
        self.optimizer.zero_grad()
        self.loss().backward()
        self.optimizer.step()
        self.n_steps += 1


def language() -> Iterator[Result]:
    """An update against that of a plain loop, then a run with its readings."""
    keep_freed_memory()  # for both alike
    with tempfile.TemporaryDirectory() as folder:
        config = parse_run("language_model", [_text(Path(folder)), "--tracking.mode=disabled"])
        yield from _beside_loop(config)
        start = time.process_time()
        run = train(config, Path(folder) / "runs", progress=False)
        seconds = time.process_time() - start
        assert run.status()["step"] == N_STEPS
    what = "2,000 steps, d 64, 20 readings on 20 batches: CPU time"
    yield judge("language", what, [seconds], "<= 90", unit="s")


def _beside_loop(config: RunConfig) -> Iterator[Result]:
    problem = LanguageProblem([config])
    stack, loop = Stack(problem), _Loop(problem)
    stack.advance(5)
    for _ in range(5):
        loop.step()
    # The keys' biases have a gradient of rounding alone, which Adam blows up: losses are compared.
    torch.testing.assert_close(stack.losses(5)[0], loop.loss(), rtol=1e-5, atol=0)
    table = interleaved({"ours": lambda: stack.advance(1), "loop": loop.step})
    ratios = [row["loop"] / row["ours"] for row in table]
    milliseconds = {name: 1e3 * min(row[name] for row in table) for name in table[0]}
    what = "language model: step of a plain loop / step, sums included"
    yield judge("language", what, ratios, ">= 0.9", detail=milliseconds)
