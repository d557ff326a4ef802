"""Sweep files of tiny toy runs, and runs that are stored without being trained."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from grok.config import RunConfig
from grok.runs import ReadingsWriter, Run, RunStore

EXPERIMENT: dict[str, Any] = {
    "problem": "toy",
    "n_steps": 400,
    "tracking": {"mode": "disabled"},
    "toy": {"p": 5, "n_train": 10, "width": 16},
    "optim": {
        "loss": "mse",
        "lr": 1e-3,
        "embed_lr": 3e-2,
        "weight_decay": 0.0,
        "embed_weight_decay": 0.0,
        "betas": [0.9, 0.999],
    },
    "measures": {
        "task": {"schedule": {"dense": 0, "every": 10}},
        "norm": {"enabled": False},
        "repr": {"enabled": True, "schedule": {"every": 10}},
    },
}
"""Addition of five symbols: 10 of 15 pairs train, 5 test."""


def toy_sweep(
    folder: Path, axes: Mapping[str, Sequence[Any]], home: Path | None = None, **top: Any
) -> str:
    """Path of a sweep file with these values over that experiment.

    Args:
        folder: Where the sweep file goes.
        axes: Field to values.
        home: Where the experiment goes, by default beside it. Equal cells of folders of one name
            with one home are parsed once, and parsing takes a tenth of a second.
        top: Fields of the experiment that are replaced, sections merged.
    """
    experiment = dict(EXPERIMENT)
    for name, value in top.items():
        whole = isinstance(value, dict)
        experiment[name] = experiment.get(name, {}) | value if whole else value
    path = (home or folder) / "tiny.yaml"
    path.write_text(yaml.safe_dump(experiment))
    document = {
        "method": "grid",
        "command": ["${env}", "grok", "train", str(path), "${args}"],
        "parameters": {name: {"values": list(values)} for name, values in axes.items()},
    }
    sweep = folder / "grid.yaml"
    sweep.write_text(yaml.safe_dump(document, sort_keys=False))
    return str(sweep)


def stored(
    runs_dir: Path,
    config: RunConfig,
    readings: Mapping[str, Mapping[int, float]],
    *,
    status: str = "completed",
    step: int | None = None,
) -> Run:
    """A run with these readings, by key and step.

    Args:
        runs_dir: Run store.
        config: The run.
        readings: Key to step to value.
        status: How it ended.
        step: Where; default ``n_steps``.
    """
    run = RunStore(runs_dir).create(config)
    writer = ReadingsWriter(run)
    for key, series in readings.items():
        for at, value in series.items():
            writer.add(at, {key: value})
    writer.flush()
    found = {"status": status, "step": config.n_steps if step is None else step}
    (run.dir / "status.json").write_text(json.dumps(found))
    return run


def passing(T_tr: int, T_va: int, last: int = 400) -> dict[str, dict[int, float]]:
    """Accuracies that become 1 at these steps, never at -1."""
    steps = ("acc/train", T_tr), ("acc/test", T_va)
    return {key: {0: 0.0, last: float(T >= 0)} | ({T: 1.0} if T >= 0 else {}) for key, T in steps}
