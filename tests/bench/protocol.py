"""How a ratio is measured: alternatives in turn in one process, ratios within each round.

Absolute times belong to a machine; ratios of alternatives that ran side by side carry over.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

ROUNDS = 7
SECONDS = 0.5
"""Least CPU seconds of one alternative in one round."""


@dataclass(frozen=True)
class Result:
    """One figure of a case."""

    case: str
    what: str
    value: float
    low: float
    high: float
    target: str
    ok: bool
    unit: str = "x"
    detail: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """For people."""
        verdict = "ok    " if self.ok else "MISSED"
        spread = f"[{self.low:.3g}, {self.high:.3g}]"
        figure = f"{self.value:.3g} {self.unit} {spread}"
        return f"{verdict} {self.case:16} {self.what:52} {figure:30} target {self.target}"

    def json(self) -> str:
        """For programs, with what the figure depends on."""
        environment = {
            "torch": version("torch"),
            "lightning": version("lightning"),
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "threads": 1,
        }
        return json.dumps(asdict(self) | {"environment": environment})


_PEAK = """import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))"""


def output_and_peak(command: list[str]) -> tuple[str, float]:
    """Standard output of a process that succeeds, and its own peak resident memory in GiB.

    A small process starts it: the system counts the memory of whoever does as the command's.
    """
    call = [sys.executable, "-c", _PEAK, *command]
    text = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout
    *lines, peak = text.splitlines(keepends=True)
    return "".join(lines), int(peak) / 2**20


def judge(case: str, what: str, values: list[float], target: str, **extra: Any) -> Result:
    """Median with minimum and maximum against a target such as ``<= 0.10`` or ``>= 4.2``."""
    value = statistics.median(values)
    sign, bound = target.split()[:2]
    ok = value <= float(bound) if sign == "<=" else value >= float(bound)
    return Result(case, what, value, min(values), max(values), target, ok, **extra)


def interleaved(
    alternatives: dict[str, Callable[[], object]],
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.process_time,
) -> list[dict[str, float]]:
    """Seconds per call of every alternative in every round, the alternatives taken in turn.

    Args:
        alternatives: By name; each is called twice before anything is timed.
        rounds: How many rounds.
        seconds: An alternative is called again until it has taken this long in its round.
        clock: CPU time of the process by default.
    """
    for call in alternatives.values():
        call()
        call()
    table = []
    for _ in range(rounds):
        row = {}
        for name, call in alternatives.items():
            start, calls = clock(), 0
            while clock() - start < seconds:
                call()
                calls += 1
            row[name] = (clock() - start) / calls
        table.append(row)
    return table
