"""The sweep files we ship: what W&B accepts, and the runs the paper made."""

import itertools
import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from grok.config import OptimConfig, RunConfig, flatten, parse_run, run_key, to_dict, with_seed
from grok.data.config import DataConfig
from grok.models.config import TransformerConfig
from grok.sweep import Sweep, SweepRun, read_sweep
from tests.builders import PAPER
from tests.sweep import (
    sheets,
    sheets_encoder,
    sheets_growth,
    sheets_images,
    sheets_progress,
    sheets_toy,
)
from tests.sweep.sheets import Point

FOLDER = Path(__file__).parents[2] / "sweeps"
FILES = sorted(FOLDER.glob("*/*.yaml"))
_SHEETS = (sheets, sheets_progress, sheets_encoder, sheets_toy, sheets_images, sheets_growth)
SHEETS = {name: sheet for module in _SHEETS for name, sheet in module.SHEETS.items()}
SOURCES = {
    "inductive_bias": "Singh et al. 2026",
    "progress_measures": "Nanda et al. 2023",
    "effective_theory": "Liu et al. 2022",
    "norm_growth": "Merrill et al. 2021",
}
BASES = {
    "inductive_bias": PAPER,
    "effective_theory": RunConfig(problem="toy"),
    "progress_measures": RunConfig(
        data=DataConfig(split="python_shuffle", train_fraction=0.3),
        model=TransformerConfig(act="relu", causal=True, init="nanda"),
        optim=OptimConfig(warmup=10),
        n_steps=40_000,
    ),
    "norm_growth": sheets_growth.LANGUAGE,
    **sheets_growth.BASES,
}
"""The run that the files of a paper, or one of them, are compared with."""
MOST = 40
"""Cells of a file that are compared with command lines; of larger grids every so many."""

of_each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@cache
def sweep_of(path: Path) -> Sweep:
    return read_sweep(str(path))


def first_seed(path: Path) -> int:
    return SHEETS[path.stem].seeds[0]


@cache
def runs_of_one_seed(path: Path) -> list[SweepRun]:
    return sweep_of(path).runs([f"--seeds={first_seed(path)}"])


@cache
def document(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def head(path: Path) -> str:
    """The comment that a file starts with."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(itertools.takewhile(lambda line: line.startswith("#"), lines))


def cells(path: Path) -> Iterator[dict[str, Any]]:
    """The grid of a file with dotted names, expanded without the package."""
    axes = {
        name: spec["values"] if "values" in spec else [spec["value"]]
        for name, spec in document(path)["parameters"].items()
    }
    return (dict(zip(axes, cell, strict=True)) for cell in itertools.product(*axes.values()))


def point(config: RunConfig, paper: RunConfig) -> frozenset[tuple[str, Any]]:
    """In what a run differs from the paper's own; rate and decay as used."""

    def described(run: RunConfig) -> Point:
        values = flatten(to_dict(run)) | {"lr": run.lr, "weight_decay": run.weight_decay}
        skipped = ("tracking.", "measures.", "checkpoint.", "model.norm.", "optim.lr", "optim.hold")
        skipped += ("text.sha256", "text.train_on")  # settled by what is on this machine
        norm = {k: v for k, v in values.items() if k.startswith("model.norm.")}
        values = {k: v for k, v in values.items() if not k.startswith(skipped)}
        del values["optim.weight_decay"]  # as asked for; the one used is there already
        return values | (norm if any(run.model.norm.flags) else {})

    base = described(paper) | {k: v for k, v in flatten(to_dict(paper)).items() if "norm." in k}
    seeds = ("data.split_seed", "data.order_seed", "model.init_seed")
    found = {k: v for k, v in described(config).items() if v != base[k] and k not in seeds}
    return rounded(found)


def rounded(values: Point) -> frozenset[tuple[str, Any]]:
    """Hashable, floats to twelve digits: 1e-3 / 0.75**2 has more than one last bit."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(value)
        return float(f"{value:.12g}") if isinstance(value, float | int) else value

    return frozenset((key, plain(value)) for key, value in values.items())


@pytest.fixture(scope="session")
def wandb_sweeps() -> Any:
    """W&B's package of sweeps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it names pydantic's settings as in version 1
        import sweeps
    return sweeps


def test_every_file_has_a_sheet() -> None:
    assert sorted(path.stem for path in FILES) == sorted(SHEETS)  # names are not used twice


@of_each_file
def test_wandb_accepts_the_file(path: Path, wandb_sweeps: Any) -> None:
    assert wandb_sweeps.schema_violations_from_proposed_config(document(path)) == []


def test_wandb_refuses_a_misspelt_file(wandb_sweeps: Any) -> None:
    violations = wandb_sweeps.schema_violations_from_proposed_config
    assert violations(document(FILES[0]) | {"metirc": {}}) != []
    assert violations(document(FILES[0]) | {"method": "gird"}) != []


@of_each_file
def test_wandb_proposes_the_cells_of_the_grid(path: Path, wandb_sweeps: Any) -> None:
    n = SHEETS[path.stem].n_runs
    proposed = wandb_sweeps.next_runs(document(path), [], n=n + 1, validate=False)
    assert proposed.pop() is None  # there are no more
    configs = [{name: spec["value"] for name, spec in run.config.items()} for run in proposed]
    assert sorted(map(_items, configs)) == sorted(map(_items, cells(path)))


def _items(cell: dict[str, Any]) -> str:
    return str(sorted(cell.items()))


@of_each_file
def test_its_runs_are_the_intended_ones(path: Path) -> None:
    intended = SHEETS[path.stem].points
    runs = runs_of_one_seed(path)
    paper = BASES.get(path.stem, BASES[path.parent.name])
    assert {point(run.config, paper) for run in runs} == {rounded(each) for each in intended}
    assert len(runs) == len(intended)


@of_each_file
def test_it_lists_seeds_last_and_every_cell_has_all_of_them(path: Path) -> None:
    sheet = SHEETS[path.stem]
    assert list(sweep_of(path).axes)[-1] == "seed"
    assert sweep_of(path).axes["seed"] == sheet.seeds
    assert len(list(cells(path))) == sheet.n_runs


def test_the_seeds_of_a_cell_change_split_and_weights_alone() -> None:
    runs = sweep_of(FOLDER / "inductive_bias" / "temperature.yaml").runs(
        ["--model.temperature=0.8"]
    )
    seeds = SHEETS["temperature"].seeds
    assert [run.config for run in runs] == [with_seed(runs[0].config, seed) for seed in seeds]


@pytest.mark.slow  # some 400 command lines
@of_each_file
def test_a_run_is_what_wandb_agent_would_start(path: Path) -> None:
    env, grok, train, experiment, args = document(path)["command"]
    assert (env, grok, train, args) == ("${env}", "grok", "train", "${args}")
    proposed = [cell for cell in cells(path) if cell["seed"] == first_seed(path)]
    every = -(-len(proposed) // MOST)
    started = {}
    for cell in proposed[::every]:
        config = parse_run(experiment, [f"--{name}={value}" for name, value in cell.items()])
        started.setdefault(run_key(config), config)
    ours = {run_key(run.config): run.config for run in runs_of_one_seed(path)}
    assert list(started) == list(ours) if every == 1 else started.keys() <= ours.keys()
    for key, config in started.items():
        # W&B names the sweep itself; ours is the group of the runs.
        assert to_dict(ours[key]) | {"tracking": None} == to_dict(config) | {"tracking": None}


@of_each_file
def test_its_head_names_source_command_and_number_of_runs(path: Path) -> None:
    text = head(path)
    n_seeds, n_points = len(SHEETS[path.stem].seeds), len(SHEETS[path.stem].points)
    n_runs = SHEETS[path.stem].n_runs
    assert SOURCES[path.parent.name] in text
    assert re.search(rf"^#   grok (sweep run|diagram) {path.stem}$", text, re.MULTILINE)
    assert re.findall(r"\b(\d+) runs", text) == [str(n_runs)]
    distinct = [str(n_seeds * n_points)] if n_seeds * n_points < n_runs else []
    assert re.findall(r"\b(\d+) distinct", text) == distinct


@of_each_file
def test_it_has_no_number_that_yaml_reads_as_text(path: Path) -> None:
    values = {value for cell in cells(path) for value in cell.values()}
    assert all(value is not None for value in values)
    texts = [value for value in values if isinstance(value, str)]
    assert [text for text in texts if re.fullmatch(r"[-+.\d]+(e[-+]?\d+)?", text)] == []


def test_files_that_share_runs_say_whose_they_are() -> None:
    holders: dict[str, set[str]] = {}
    for path in FILES:
        for run in runs_of_one_seed(path):
            holders.setdefault(run_key(run.config), set()).add(path.stem)
    named = {
        path.stem: set(re.findall(r"\w+", head(path))) & SHEETS.keys() - {path.stem}
        for path in FILES
    }
    for key, files in holders.items():
        silent = {file for file in files if not named[file] & files}
        assert len(silent) <= 1, f"{key} is in {silent}, and none says so"
    assert any(len(files) > 1 for files in holders.values())


def test_kernels_are_read_wherever_the_readout_is_scaled() -> None:
    for path in (FOLDER / "inductive_bias").glob("*.yaml"):
        has_scales = "model.readout_scale" in document(path)["parameters"]
        for run in runs_of_one_seed(path):
            kernel = run.config.measures.kernel
            assert kernel.enabled == has_scales
            assert kernel.schedule.is_due(200)  # the published step
