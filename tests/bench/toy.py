"""What stacking gains for toy networks: the addition model against the loop one would write."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from grok.config import RunConfig, parse_run
from grok.config.stacking import TOY_STACK
from grok.training import Stack, ToyProblem
from tests.bench.protocol import Result, interleaved, judge

SIZES = (4, TOY_STACK, 64)


def _stack(size: int) -> Stack[ToyProblem]:
    return Stack(ToyProblem([_config(seed) for seed in range(size)]))


def _config(seed: int) -> RunConfig:
    return parse_run("toy_addition", [f"--seed={seed}", "--optim.loss_dtype=float32"])


class _Loop:
    """One run as a program of its own, which evaluates nothing."""

    def __init__(self, config: RunConfig) -> None:
        problem = ToyProblem([config])
        data, weights = problem.data[0], problem.initial(config)
        self.E = nn.Parameter(weights["W_E"].float())
        self.decoder = nn.Sequential(
            nn.Linear(1, 200), nn.Tanh(), nn.Linear(200, 200), nn.Tanh(), nn.Linear(200, 30)
        )
        names = [name for name in weights if name != "W_E"]
        for name, parameter in zip(names, self.decoder.parameters(), strict=True):
            parameter.data.copy_(weights[name])
        self.a, self.b = data.a[data.train], data.b[data.train]
        self.y = data.targets[data.label[data.train]].float()
        o = config.optim
        self.optimizers = [
            torch.optim.Adam([self.E], lr=o.embed_lr),
            torch.optim.AdamW(self.decoder.parameters(), lr=o.lr, weight_decay=o.weight_decay),
        ]

    def step(self) -> None:
        loss = nn.functional.mse_loss(self.decoder(self.E[self.a] + self.E[self.b]), self.y)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()


def toy_stack_vs_loop() -> Iterator[Result]:
    """Run-steps per second of stacks of some sizes over those of the loop."""
    _assert_same()
    stacks = {f"R = {size}": _stack(size) for size in SIZES}
    calls: dict[str, Callable[[], object]] = {
        name: lambda s=stack: s.advance(1) for name, stack in stacks.items()
    }
    loop = _Loop(_config(0))
    compiled = _Compiled(_stack(TOY_STACK))
    table = interleaved({"loop": loop.step, "compiled": compiled.step, **calls})

    def gains(name: str, size: int) -> list[float]:
        return [size * row["loop"] / row[name] for row in table]

    best = f"R = {TOY_STACK}"
    detail = {name: min(gains(name, len(s.configs))) for name, s in stacks.items() if name != best}
    what = f"addition model, {best}: run-steps/s over those of a loop"
    yield judge("toy-stack-vs-loop", what, gains(best, TOY_STACK), ">= 2.0", detail=detail)
    what = f"the same, the whole step compiled by torch, {best}"
    yield judge("toy-stack-vs-loop", what, gains("compiled", TOY_STACK), ">= 2.5")


def _assert_same() -> None:
    """Both programs come to the same embeddings."""
    loop, stack = _Loop(_config(3)), Stack(ToyProblem([_config(3), _config(4)]))
    stack.advance(20)
    for _ in range(20):
        loop.step()
    torch.testing.assert_close(stack.params["W_E"][0], loop.E.detach(), rtol=0, atol=1e-5)
    compiled = _Compiled(Stack(ToyProblem([_config(3), _config(4)])))
    for _ in range(20):
        compiled.step()
    for name, p in compiled.params.items():
        torch.testing.assert_close(p, stack.params[name].detach(), rtol=0, atol=1e-5)


class _Compiled:
    """Loss, gradient and update of a stack as one compiled function, parameter by parameter.

    Not offered: what it gains over the eager stack does not pay for compiling it at every start.
    """

    def __init__(self, stack: Stack[ToyProblem]) -> None:
        self.stack, self.t = stack, 0
        self.params = {name: p.detach().clone() for name, p in stack.params.items()}
        self.mean, self.square = (
            {name: torch.zeros_like(p) for name, p in self.params.items()} for _ in range(2)
        )
        self.function = torch.compile(self._step, dynamic=False)

    def _step(self, t: Tensor) -> None:
        def loss(params: dict[str, Tensor]) -> Tensor:
            return self.stack.problem.losses(params, 0).sum()

        for name, grad in torch.func.grad(loss)(self.params).items():
            mean = self.mean[name].mul_(0.9).add_(0.1 * grad)
            square = self.square[name].mul_(0.999).add_(0.001 * grad * grad)
            step = (mean / (1 - 0.9**t)) / ((square / (1 - 0.999**t)).sqrt() + 1e-8)
            self.params[name].sub_((1e-3 if name == "W_E" else 1e-4) * step)

    def step(self) -> None:
        self.t += 1
        self.function(torch.tensor(float(self.t)))
