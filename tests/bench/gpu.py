"""What stacking gains on a CUDA device, as far as the device goes."""

import time
from collections.abc import Callable, Iterator

import torch

from grok.config import RunConfig, parse_run
from grok.config.schema import with_seed
from grok.training import Stack, problem_of
from tests.bench.protocol import Result, judge

SIZES = (1, 4, 16, 64, 256)
KINDS = {
    "no norm, p = 113": ["readout_scale", "--optim.loss_dtype=float32"],
    "no norm, p = 113, float64 loss": ["readout_scale"],
    "M+A*, p = 113": ["layernorm", "--model.norm=M+A*", "--optim.loss_dtype=float32"],
    "addition model": ["toy_addition", "--optim.loss_dtype=float32"],
}
SECONDS, ROUNDS = 0.25, 3


def gpu_stack() -> Iterator[Result]:
    """Run-steps per second of stacks of every size over those of a run alone; float32 and TF32."""
    if not torch.cuda.is_available():
        print("gpu-stack: skipped, there is no CUDA device")
        return
    for kind, call in KINDS.items():
        for precision in ("highest", "high"):
            torch.set_float32_matmul_precision(precision)
            yield _figure(kind, parse_run(call[0], [*call[1:], "--seed=0"]), precision)
    torch.set_float32_matmul_precision("highest")


def _figure(kind: str, config: RunConfig, precision: str) -> Result:
    rates: dict[int, list[float]] = {}
    peaks: dict[int, float] = {}
    for size in SIZES:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        try:
            stack = Stack(problem_of([with_seed(config, seed) for seed in range(size)], "cuda"))
            rates[size] = [size * rate for rate in _updates_a_second(lambda s=stack: s.advance(10))]
        except torch.cuda.OutOfMemoryError:
            break
        peaks[size] = torch.cuda.max_memory_allocated() / size / 2**20
    best = max(rates, key=lambda size: max(rates[size]))
    gains = [rate / max(rates[1]) for rate in rates[best]]
    name = "float32" if precision == "highest" else "TF32"
    detail = {
        "device": torch.cuda.get_device_name(),
        "run-steps/s": {size: sorted(rate)[len(rate) // 2] for size, rate in rates.items()},
        "MiB a run": peaks,
    }
    what = f"{kind}, {name}, R = {best}: run-steps/s over those of R = 1"
    return judge("gpu-stack", what, gains, ">= 8", detail=detail)


def _updates_a_second(ten: Callable[[], object]) -> list[float]:
    """Of calls of ten updates, in each round; host and device are waited for."""
    ten()
    found = []
    for _ in range(ROUNDS):
        torch.cuda.synchronize()
        start, n = time.perf_counter(), 0
        while time.perf_counter() - start < SECONDS:
            ten()
            torch.cuda.synchronize()
            n += 10
        found.append(n / (time.perf_counter() - start))
    return found
