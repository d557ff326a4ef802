"""What stacking gains on a CUDA device, as far as the device goes: launched, recorded, compiled."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any, Literal

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from grok.config import RunConfig, parse_run
from grok.config.schema import with_seed
from grok.training import Stack, problem_of
from grok.training.precision import matmul_precision
from tests.bench.protocol import Result, judge
from tests.builders import captured

SIZES = (1, 4, 16, 64, 256, 1024)
COMPILED_SIZES = (1, 256)
"""Each takes most of a minute to compile."""
KINDS = {
    "no norm, p = 113": ["readout_scale", "--optim.loss_dtype=float32"],
    "no norm, p = 113, float64 loss": ["readout_scale"],
    "M+A*, p = 113": ["layernorm", "--model.norm=M+A*", "--optim.loss_dtype=float32"],
    "addition model": ["toy_addition", "--optim.loss_dtype=float32"],
}
COMPILED = ("no norm, p = 113", "addition model")
PRECISIONS: Mapping[Literal["highest", "high"], str] = {"highest": "float32", "high": "TF32"}
SECONDS, ROUNDS = 0.25, 3
Way = Literal["eager", "captured", "compiled"]


@dataclass(frozen=True)
class Figure:
    """Stacks of one size, launched in one way."""

    precision: str
    way: Way
    size: int
    rates: list[float]
    """Updates of all runs a second, in each round."""
    MiB_a_run: float
    """Peak of the stack's memory over its runs."""
    share_of_products: float
    """Operations of matrix products a second / those of one large product of the same precision."""
    share_of_bandwidth: float
    """Bytes that operations read and write a second / those of one large copy. Of a compiled
    update, which reads and writes less, those of the eager one."""

    @property
    def rate(self) -> float:
        """Median of the rounds."""
        return sorted(self.rates)[len(self.rates) // 2]


def gpu_stack() -> Iterator[Result]:
    """Run-steps a second of the best stack over those of one run, launched in float32."""
    if not torch.cuda.is_available():
        print("gpu-stack: skipped, there is no CUDA device")
        return
    for kind, call in KINDS.items():
        compiled = COMPILED_SIZES if kind in COMPILED else ()
        figures = measured(parse_run(call[0], [*call[1:], "--seed=0"]), SIZES, compiled, "cuda")
        targets = {"float32": ">= 8", "TF32": ">= 20"}
        if kind == "addition model":
            targets = {"float32": ">= 200"}
        yield from _results(kind, figures, targets)


def _results(kind: str, figures: Sequence[Figure], targets: Mapping[str, str]) -> Iterator[Result]:
    alone = next(f.rate for f in figures if (f.precision, f.way, f.size) == ("float32", "eager", 1))
    for precision, target in targets.items():
        best = max((f for f in figures if f.precision == precision), key=lambda f: f.rate)
        what = f"{kind}, {precision}, {best.way}, R = {best.size}: over R = 1"
        gains = [rate / alone for rate in best.rates]
        yield judge("gpu-stack", what, gains, target, detail=_table(figures))


def _table(figures: Sequence[Figure]) -> dict[str, Any]:
    on_cuda = torch.cuda.is_available()
    rows = {f"{f.precision}, {f.way}, R = {f.size}": _row(f) for f in figures}
    return {"device": torch.cuda.get_device_name() if on_cuda else "cpu", "figures": rows}


def _row(figure: Figure) -> dict[str, float]:
    return {
        "run-steps/s": round(figure.rate, 1),
        "MiB a run": round(figure.MiB_a_run, 2),
        "of products": round(figure.share_of_products, 3),
        "of bandwidth": round(figure.share_of_bandwidth, 3),
    }


def measured(
    config: RunConfig, sizes: Sequence[int], compiled: Sequence[int], device: str
) -> list[Figure]:
    """Stacks of every size that fits, in both precisions and every way."""
    found = []
    for size in sizes:
        ways: list[Way] = ["eager", "captured"]
        if size in compiled:
            ways.append("compiled")
        runs = [with_seed(config, seed) for seed in range(size)]
        for (high, precision), way in product(PRECISIONS.items(), ways):
            try:
                stack = Stack(problem_of(runs, device))
                stack.config = replace(stack.config, matmul_precision=high)
                found.append(_figure(stack, precision, way))
            except RuntimeError as error:  # out of memory among them
                why = str(error).splitlines()[0]
                print(f"gpu-stack: {precision}, {way}, R = {size}: {why}", file=sys.stderr)
    return found


def _figure(stack: Stack, precision: str, way: Way) -> Figure:
    counts, stack.captured = Counts(), None
    with FlopCounterMode(display=False) as flops, counts:
        stack.update()
    _reset_peak(stack.device)
    if way == "compiled":
        compile_parts(stack)
    if way != "eager":
        with matmul_precision(stack.config.matmul_precision):
            captured(stack)
    peaks = _peaks(stack.device, stack.config.matmul_precision)
    rates = _updates_a_second(lambda: stack.advance(10), stack.device)
    size = len(stack.configs)
    per_second = sorted(rates)[len(rates) // 2]
    return Figure(
        precision,
        way,
        size,
        [size * rate for rate in rates],
        _peak(stack.device) / size / 2**20,
        per_second * flops.get_total_flops() / peaks["products"],
        per_second * counts.n_bytes / peaks["bytes"],
    )


class Counts(TorchDispatchMode):
    """Bytes of whatever operations read and write; of views nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.n_bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        out = func(*args, **(kwargs or {}))
        if not func.is_view and func is not torch.ops.aten._unsafe_view.default:
            both = (*args, *out) if isinstance(out, tuple | list) else (*args, out)
            self.n_bytes += sum(x.nbytes for x in both if isinstance(x, torch.Tensor))
        return out


def compile_parts(stack: Stack) -> None:
    """Have torch compile the losses with their gradient, and the optimiser's step."""
    losses = stack.problem.losses
    compiled = torch.compile(lambda params: losses(params, 0), dynamic=False)
    stack.problem.losses = lambda params, step: compiled(params)
    stack.optimizer.delta = torch.compile(stack.optimizer.delta, dynamic=False)


@cache
def _peaks(device: torch.device, high: Literal["highest", "high"]) -> dict[str, float]:
    """Operations a second of a large product, and bytes a second of a large copy."""
    n = 8192 if device.type == "cuda" else 512
    x = torch.ones(n, n, device=device)
    out = torch.empty_like(x)
    with matmul_precision(high):
        products = max(_updates_a_second(lambda: torch.mm(x, x, out=out), device, calls=1))
    copies = max(_updates_a_second(lambda: out.copy_(x), device, calls=1))
    return {"products": 2 * n**3 * products, "bytes": 2 * x.nbytes * copies}


def _updates_a_second(
    call: Callable[[], object], device: torch.device, calls: int = 10
) -> list[float]:
    """Of a function that makes so many updates, in each round; host and device are waited for."""
    call()
    found = []
    for _ in range(ROUNDS):
        _wait(device)
        start, n = time.perf_counter(), 0
        while time.perf_counter() - start < SECONDS:
            call()
            _wait(device)
            n += calls
        found.append(n / (time.perf_counter() - start))
    return found


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak(device: torch.device) -> int:
    return torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
