import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from grok.config import InputError, RunConfig, flatten, parse_run, run_key, to_dict
from grok.sweep import SweepRun, read_sweep
from tests.running import FLAGS
from tests.sweep.grids import COMMAND, sweep_file, written_file

FLAT = {
    "model.norm": {"values": ["none", "A*", "off"]},
    "model.tied": {"value": True},
    "optim.betas": {"value": [0.9, 0.98]},
    "optim.lr": {"values": [1.0e-3, 0.01]},
    "seed": {"values": [3, 1]},
}
"""Sorted by name: W&B takes the axes in that order, we in that of the file."""
NESTED = {
    "seed": {"values": [3, 1]},
    "model": {"parameters": {"norm": {"values": ["M", "A^v"]}, "causal": {"value": True}}},
    "optim": {"parameters": {"weight_decay": {"values": [0, 0.5]}}},
}


def by_wandb(parameters: dict[str, Any]) -> list[RunConfig]:
    """The runs in the order of W&B's own search, from the flags of W&B's own agent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package is of 2022
        import sweeps

        found = sweeps.next_runs(
            {"method": "grid", "parameters": parameters}, [], validate=False, n=1000
        )
    arguments = [create_sweep_command_args({"args": run.config})["args"] for run in found if run]
    group = "--tracking.group=sweeps/grid"
    return [parse_run("layernorm", [*FLAGS, group, *flags]) for flags in arguments]


def configs(runs: Sequence[SweepRun]) -> list[RunConfig]:
    return [run.config for run in runs]


def distinct(runs: Sequence[RunConfig]) -> list[RunConfig]:
    """The first of those that are the same run."""
    found: dict[str, RunConfig] = {}
    for config in runs:
        found.setdefault(run_key(config), config)
    return list(found.values())


@pytest.fixture
def sweeps_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sweeps"
    folder.mkdir()
    return folder


def test_a_grid_has_the_runs_of_wandb_in_its_order(sweeps_folder: Path) -> None:
    found = configs(read_sweep(sweep_file(sweeps_folder, FLAT)).runs())
    assert found == distinct(by_wandb(FLAT))
    assert len(found) == 2 * 2 * 2  # "off" and "none" are the same placement


def test_nested_parameters_are_the_runs_of_wandb(sweeps_folder: Path) -> None:
    sweep = read_sweep(sweep_file(sweeps_folder, NESTED))
    assert list(sweep.axes) == ["seed", "model.norm", "model.causal", "optim.weight_decay"]
    found = {run_key(config): config for config in configs(sweep.runs())}
    assert found == {run_key(config): config for config in by_wandb(NESTED)}
    assert len(found) == 8


def test_the_first_axis_varies_slowest_and_values_are_those_of_the_file(tmp_path: Path) -> None:
    lines = "optim.lr: {values: [1.0e-3, 1.0e-2]}\nseed: {values: [456, 789]}\n"
    sweep = read_sweep(written_file(tmp_path, lines))
    assert sweep.axes == {"optim.lr": (1e-3, 1e-2), "seed": (456, 789)}
    runs = sweep.runs()
    assert [tuple(run.values.values()) for run in runs] == [
        (1e-3, 456),
        (1e-3, 789),
        (1e-2, 456),
        (1e-2, 789),
    ]
    for run in runs:
        flat = flatten(to_dict(run.config))
        assert flat["optim.lr"] == run.values["optim.lr"]
        seeds = ("data.split_seed", "model.init_seed", "data.order_seed")
        assert {flat[seed] for seed in seeds} == {run.values["seed"]}


def test_cells_that_are_the_same_run_are_one_and_the_first_stays(tmp_path: Path) -> None:
    # At the reference rate it makes no difference which product is held.
    holds = {"values": ["eta_lambda", "lambda"]}
    rates = {"values": [1.0e-3, 1.0e-2]}
    path = sweep_file(tmp_path, {"optim.hold": holds, "optim.lr": rates})
    cells = [tuple(run.values.values()) for run in read_sweep(path).runs()]
    assert cells == [("eta_lambda", 1e-3), ("eta_lambda", 1e-2), ("lambda", 1e-2)]


def test_flags_replace_axes_and_override_fields(tmp_path: Path) -> None:
    sweep = read_sweep(sweep_file(tmp_path, FLAT))
    runs = sweep.runs(["--seeds=5,6,7", "--optim.lr=2e-3", "--n_steps", "50", "--model.norm=M"])
    assert [run.values["seed"] for run in runs] == [5, 6, 7]
    assert {run.values["optim.lr"] for run in runs} == {2e-3}
    assert {run.config.optim.lr for run in runs} == {2e-3}
    assert {run.config.n_steps for run in runs} == {50}
    assert {run.config.model.norm.name for run in runs} == {"mlp"}


def test_one_seed_replaces_the_axis_too(tmp_path: Path) -> None:
    sweep = read_sweep(sweep_file(tmp_path, {"seed": {"values": [1, 2]}}))
    assert [run.values for run in sweep.runs(["--seed=9"])] == [{"seed": 9}]


def test_seeds_of_a_file_without_them_vary_fastest(tmp_path: Path) -> None:
    sweep = read_sweep(sweep_file(tmp_path, {"model.tied": {"values": [True, False]}}))
    cells = [tuple(run.values.values()) for run in sweep.runs(["--seeds=1,2"])]
    assert cells == [(True, 1), (True, 2), (False, 1), (False, 2)]


def test_runs_are_grouped_under_the_sweep_unless_told_otherwise(tmp_path: Path) -> None:
    seeds = {"seed": {"value": 1}}
    [run] = read_sweep(sweep_file(tmp_path, seeds, project="mine")).runs()
    assert run.config.tracking.group == f"{tmp_path.name}/grid"
    assert run.config.tracking.project == "mine"
    [run] = read_sweep(sweep_file(tmp_path, seeds)).runs(["--tracking.group=flag"])
    assert run.config.tracking.group == "flag"
    [run] = read_sweep(sweep_file(tmp_path, seeds | {"tracking.group": {"value": "file"}})).runs()
    assert run.config.tracking.group == "file"


def test_what_the_command_says_holds_for_every_run(tmp_path: Path) -> None:
    command = [*COMMAND[:4], "--n_steps=7", "${args}", "--threads=2"]
    path = sweep_file(tmp_path, {"seed": {"values": [1, 2]}}, command=command)
    assert {(run.config.n_steps, run.config.threads) for run in read_sweep(path).runs()} == {(7, 2)}


# What cannot be used.


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("optim.lr: {values: [1e-3]}", "optim.lr=1e-3: this is text to YAML; write 0.001"),
        ("optim.lr: {values: [1e-5]}", "optim.lr=1e-5: this is text to YAML; write 1.0e-05"),
        ("optim.lr: {values: [1e3]}", "optim.lr=1e3: this is text to YAML; write 1000.0"),
        ("seed: {values: ['3']}", "seed=3: this is text to YAML; write 3"),
        ("optim.betas: {value: [0.9, 98e-2]}", "optim.betas=98e-2: this is text to YAML"),
        ("optim.lr: {values: [null]}", "optim.lr=None: null reaches the run as the text None"),
        ("optim.lr: {value: }", "optim.lr=None: null reaches"),
        ("data.group: {values: ['None']}", "data.group=None: null reaches"),
        ("tracking.mode: {values: [off]}", "tracking.mode=False: YAML reads an unquoted off"),
        ("optim.kind: {values: [no]}", 'for nothing write "none"'),
        ("model.norm: {values: [on]}", "model.norm=True: YAML reads an unquoted off"),
        ("model.norm: {values: [off, mlp]}", 'for nothing write "none"'),
        ("seed: {value: 1}\nseed: {value: 2}", "seed is written twice, again in line 5; keep one"),
        ("optim.lr: {values: [0.1, abc]}", "optim.lr=abc: expected a number"),
        ("optim.lrr: {values: [0.1]}", "no field 'optim.lrr'; did you mean optim.lr"),
        ("seed: {values: [-1]}", "seed=-1: expected a whole number, 0 or more"),
        ("data.p: {values: [1.5]}", "data.p=1.5: expected a whole number"),
        ("data.p: {values: [2024-01-01]}", "expected a number, true or false, a text"),
        ("optim: {value: {lr: 0.1}}", "expected a number, true or false, a text"),
        ("optim.lr: {min: 0.1, max: 1.0}", "write value: ... or values: [...] under it"),
        ("optim.lr: {values: [1.0], q: 2}", "optim.lr: q is not for a grid"),
        ("optim.lr: {values: [1.0], value: 1.0}", "write value: ... or values: [...] under it"),
        ("optim.lr: 0.1", "optim.lr=0.1: write value: ... or values: [...] under it"),
        ("optim.lr: {values: 0.1}", "optim.lr.values=0.1: expected a list"),
        ("optim.lr: {values: []}", "optim.lr.values=[]: expected a list"),
        ("optim: {parameters: {}}", "optim.parameters={}: expected names"),
        ("optim: {parameters: {lr: {value: .5}}}\noptim.lr: {value: .5}", "lr is given twice"),
    ],
)
def test_a_value_that_cannot_be_meant_is_one_line_that_says_what_to_write(
    line: str, says: str, tmp_path: Path
) -> None:
    path = written_file(tmp_path, line)
    with pytest.raises(InputError) as caught:
        read_sweep(path).runs()
    assert says in str(caught.value)
    assert str(caught.value).startswith(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        'model.norm: {values: ["none", "off"]}',
        "model.tied: {values: [off, on]}",
        'tracking.project: {value: "2026"}',
        'tracking.tags: {value: ["2026", "1e3"]}',
        "optim.decay_exempt: {values: [[], [bias, norm]]}",
        "optim.lr: {distribution: categorical, values: [1, 2.5, 1.0e-3]}",
        "optim.weight_decay: {value: 0}",
        "checkpoint.seconds: {value: 1.0e+3}",
    ],
)
def test_nothing_right_is_refused(line: str, tmp_path: Path) -> None:
    assert read_sweep(written_file(tmp_path, line)).runs()


@pytest.mark.parametrize(
    ("top", "says"),
    [
        ({"method": "random"}, "method=random: expected grid here"),
        ({"method": "bayes"}, "bayes needs metric"),
        ({"method": None}, "method=None: allowed are grid, random, bayes"),
        ({"metirc": {"name": "x"}}, "metirc is not understood here; allowed: name, "),
        ({"early_terminate": {"type": "hyperband"}}, "nothing is stopped early here"),
        ({"run_cap": 0}, "run_cap=0: expected a whole number of runs, 1 or more"),
        ({"command": None}, "command=None: write ["),
        ({"command": ["${env}", "grok", "train", "${args}"]}, "names no experiment after train"),
        ({"command": ["grok", "train"]}, "names no experiment after train"),
        ({"command": COMMAND[:-1]}, "must have ${args} once"),
        ({"command": [*COMMAND, "--json"]}, "no field 'json'"),
        ({"command": [*COMMAND[:3], "nothing", "${args}"]}, "no experiment named 'nothing'"),
    ],
)
def test_a_file_that_is_no_grid_of_an_experiment_is_one_line(
    top: dict[str, Any], says: str, tmp_path: Path
) -> None:
    path = sweep_file(tmp_path, {"seed": {"value": 1}}, **top)
    with pytest.raises(InputError) as caught:
        read_sweep(path).runs()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("parameters", [None, {}, [1], "seed"])
def test_a_file_without_parameters_is_refused(parameters: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"parameters=.*: expected names with value or values"):
        read_sweep(sweep_file(tmp_path, parameters))


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--seeds=1,,2"], "seeds=1,,2: expected whole numbers such as 456,789"),
        (["--seeds=a"], "seeds=a: expected"),
        (["--lr=1"], "no field 'lr'; did you mean optim.lr?"),
        (["--optim.lr=abc"], "optim.lr=abc: expected a number"),
        (["extra"], "unexpected argument 'extra'"),
    ],
)
def test_a_flag_that_cannot_be_used_is_one_line(
    flags: list[str], says: str, tmp_path: Path
) -> None:
    sweep = read_sweep(sweep_file(tmp_path, {"optim.lr": {"value": 0.1}}))
    with pytest.raises(InputError) as caught:
        sweep.runs(flags)
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["[1, 2]", "", "a: [", "\x00"])
def test_a_file_that_is_no_sweep_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"bad\.yaml") as caught:
        read_sweep(str(path))
    assert "\n" not in str(caught.value)


def test_an_unknown_sweep_lists_those_there_are() -> None:
    with pytest.raises(InputError, match=r"no sweep named 'nothing'; there are: .*layernorm"):
        read_sweep("nothing")
    with pytest.raises(InputError, match=r"no such file: nothing\.yaml"):
        read_sweep("nothing.yaml")
