"""The forms of a network against each other, optimiser and float64 loss included."""

import statistics
from collections.abc import Iterator
from dataclasses import replace

import torch

from grok.config import RunConfig, parse_run
from grok.models.config import Form
from tests.bench.gpu import compile_parts
from tests.bench.protocol import Result, interleaved, judge
from tests.builders import captured, make_stack

CASES: list[tuple[str, Form, str]] = [("none", "table", ">= 4.4"), ("M+A*", "token", ">= 3.7")]


def forms() -> Iterator[Result]:
    """The training form against the full form, and what else it could have been."""
    for norm, form, target in CASES:
        config = parse_run("layernorm", [f"--model.norm={norm}"])
        assert make_stack(config).problem.form == form
        _assert_same_gradient(config)
        both: tuple[Form, Form] = (form, "full")
        stacks = {name: make_stack(config, form=name) for name in both}
        rows = interleaved({name: lambda s=s: s.advance(1) for name, s in stacks.items()})
        milliseconds = {name: 1e3 * min(row[name] for row in rows) for name in rows[0]}
        ratios = [row["full"] / row[form] for row in rows]
        what = f"p = 113, norm {norm}: full step / {form} step"
        yield judge("folded-vs-full", what, ratios, target, detail=milliseconds)
    yield from _others(parse_run("layernorm", ["--model.norm=none"]))


def _others(config: RunConfig) -> Iterator[Result]:
    """What a step of the folded form, and one compiled by torch, cost."""
    table = make_stack(config)
    folded, compiled = (make_stack(config, form="folded") for _ in range(2))
    compile_parts(compiled)
    captured(compiled)
    rows = interleaved(
        {
            "table": lambda: table.advance(1),
            "folded": lambda: folded.advance(1),
            "compiled": lambda: compiled.advance(1),
        }
    )
    ratios = [row["folded"] / row["table"] for row in rows]
    yield judge("folded-vs-full", "p = 113: folded step / table step", ratios, ">= 1.1")
    ratios = [row["folded"] / row["compiled"] for row in rows]
    what, value = "p = 113: folded step / the same compiled by torch", statistics.median(ratios)
    yield Result("folded-vs-full", what, value, min(ratios), max(ratios), "none", True)


def _assert_same_gradient(config: RunConfig) -> None:
    """In float64 both forms have the same gradient of an update."""
    form = make_stack(config).problem.form
    config = replace(config, dtype="float64", data=replace(config.data, train_fraction=0.1))
    fast = make_stack(config, form=form).gradient(0)[1]
    full = make_stack(config, form="full").gradient(0)[1]
    torch.testing.assert_close(fast, full, rtol=1e-10, atol=1e-12)
