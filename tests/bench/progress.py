"""What the progress measures cost: beside training, on a checkpoint, and in memory."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from grok.config import parse_run
from grok.formats import Published, write_checkpoint
from grok.measures import MEASURES, Readings
from grok.training import Stack, problem_of
from tests.bench.protocol import Result, interleaved, judge, output_and_peak


def _mainline() -> Stack:
    """The mainline run, some steps after its start."""
    config = parse_run("modular_addition")
    stack = Stack(problem_of([config]))
    stack.advance(20)
    return stack


def _read(stack: Stack) -> Readings:
    """The forward pass over all pairs included."""
    return MEASURES["progress"](stack.snapshot())


def progress_share() -> Iterator[Result]:
    """One reading against the 100 training steps that lie between two of them."""
    stack = _mainline()
    ablations = MEASURES["ablation"]
    table = interleaved(
        {
            "read": lambda: _read(stack),
            "ablations": lambda: ablations(stack.snapshot()),
            "steps": lambda: stack.advance(10),
        }
    )
    shares = [row["read"] / (10 * row["steps"]) for row in table]
    updates = min(row["ablations"] / (row["steps"] / 10) for row in table)
    yield judge(
        "progress-share",
        "progress measures at every 100 steps / training",
        shares,
        "<= 0.12",
        unit="",
        detail={"ablations, in updates": updates},
    )


def progress_reading() -> Iterator[Result]:
    """Seconds of one reading of a loaded checkpoint, and memory of a whole ``grok measure``."""
    stack = _mainline()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "20.safetensors"
        weights = {name: x[0].detach().clone() for name, x in stack.params.items()}
        model, n = stack.config.model, stack.config.data.n_elements
        checkpoint = Published("grok", model, n, weights, stack.step)
        write_checkpoint(file, checkpoint, "grok")
        found, peak = _measured(file)
    ours = float(_read(stack)["loss/all"])
    assert abs(found["loss/all"] - ours) < 1e-6 * ours
    seconds = [row["read"] for row in interleaved({"read": lambda: _read(stack)})]
    what = "p = 113: progress measures of one checkpoint"
    yield judge("progress-reading", what, seconds, "<= 0.5", unit="s")
    what = "p = 113: peak resident memory of grok measure"
    yield judge("progress-reading", what, [peak], "<= 1.5", unit="GiB")


def _measured(file: Path) -> tuple[dict[str, float], float]:
    """Readings of a checkpoint, and the peak memory in GiB of the process that read it."""
    grok = str(Path(sys.executable).parent / "grok")
    families = [
        "--families=task,norm,attention,fourier,compress,shortcut,weights,progress,ablation"
    ]
    command = [grok, "measure", str(file), "--train_fraction=0.3", "--json", *families]
    text, peak = output_and_peak(command)
    return json.loads(text)["readings"], peak
