"""Random and bayes sweeps without a server."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import yaml
from scipy.stats import ks_2samp

from grok.config import RunConfig, run_key
from grok.inputs import InputError
from grok.runs import ReadingsWriter, RunStore, write_status
from grok.sweep import Outcome, read_sweep
from grok.sweep.bayes import BayesSweep
from grok.sweep.document import METHODS
from grok.sweep.draw import drawn
from grok.sweep.search import engine
from grok.sweep.serve import Ledger, Queue
from tests.running import FLAGS, command

TRAIN = ["${env}", "grok", "train", "inductive_bias/layernorm", "${args}", *FLAGS]
RANDOM = {"method": "random", "parameters": {"optim.lr": {"min": 0.001, "max": 0.1}}}
METRIC = {"metric": {"name": "loss/test", "goal": "minimize"}}
BAYES = RANDOM | {"method": "bayes"} | METRIC


def _file(folder: Path, config: Mapping[str, Any]) -> str:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"command": [*TRAIN, "--n_steps=3"], **config}))
    return str(path)


def _lrs(text: str) -> list[float]:
    return [row["values"]["optim.lr"] for row in json.loads(text)["runs"]]


SPECS = {
    "uniform": {"min": 2.0, "max": 4.0},
    "int_uniform": {"min": 3, "max": 17},
    "log_uniform": {"distribution": "log_uniform", "min": -3.0, "max": 1.0},
    "log_uniform_values": {"distribution": "log_uniform_values", "min": 0.01, "max": 1.0},
    "inv_log_uniform_values": {"distribution": "inv_log_uniform_values", "min": 0.01, "max": 1.0},
    "q_uniform": {"distribution": "q_uniform", "min": 0, "max": 10, "q": 2},
    "q_log_uniform_values": {
        "distribution": "q_log_uniform_values",
        "min": 1.0,
        "max": 100.0,
        "q": 5,
    },
    "normal": {"distribution": "normal", "mu": 5, "sigma": 2},
    "q_normal": {"distribution": "q_normal", "mu": 5, "sigma": 20, "q": 10},
    "log_normal": {"distribution": "log_normal", "mu": 1, "sigma": 1},
    "beta": {"distribution": "beta", "a": 2, "b": 5},
    "values": {"values": [1, 2, 4], "probabilities": [0.5, 0.2, 0.3]},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SPECS)
def test_draws_are_distributed_as_those_of_the_engine_of_wandb(name: str) -> None:
    spec = SPECS[name]
    rng = np.random.default_rng(0)
    ours = np.array([drawn(spec, rng) for _ in range(2000)])
    np.random.seed(0)  # noqa: NPY002 - the engine draws from here
    config = {"method": "random", "parameters": {"x": spec}}
    theirs = np.array([engine().next_run(config, []).config["x"]["value"] for _ in range(500)])
    found: Any = ks_2samp(ours, theirs)
    assert found.pvalue > 1e-3
    if name.startswith(("q_", "int", "values")):
        assert set(np.unique(theirs)) <= set(np.unique(ours))


def test_a_random_sweep_is_the_same_at_each_call_and_under_a_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _file(tmp_path, RANDOM)
    words = ["sweep", "run", file, "--dry-run", "--json", f"--runs_dir={tmp_path / 'runs'}"]
    three = _lrs(command(capsys, *words, "--count=3", "--sweep-seed=7").out)
    assert _lrs(command(capsys, *words, "--count=5", "--sweep-seed=7").out)[:3] == three
    assert len({*three, *_lrs(command(capsys, *words, "--count=3").out)}) == 6
    now = [0.0]
    queue = Queue(Ledger(tmp_path / "state"), seed=7, clock=lambda: now[0])
    agent = queue.add_agent(queue.add_sweep(Path(file).read_text(), "e", "p"), "host")
    given = []
    for _ in range(3):
        (order,) = queue.heartbeat(agent, [])
        queue.sent([order])
        now[0] += 10
        given.append(order["args"]["optim.lr"]["value"])
    assert given == three


def test_each_draw_is_a_run_for_each_value_that_the_command_stacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*TRAIN, "--seeds", "1,2", "--over=optim.eps=0.1,0.2", "--n_steps=3"]
    file = _file(tmp_path, RANDOM | {"command": words, "run_cap": 2})
    for flags, n_seeds in [((), 2), (("--seeds=7",), 1)]:
        done = command(capsys, "sweep", "run", file, "--dry-run", "--json", *flags)
        cells = [row["values"] for row in json.loads(done.out)["runs"]]
        assert len({cell["optim.lr"] for cell in cells}) == 2
        assert len({(cell["optim.lr"], cell["seed"], cell["optim.eps"]) for cell in cells}) == (
            len(cells)
        )
        assert len(cells) == 2 * n_seeds * 2
    (row,) = json.loads(command(capsys, "sweep", "check", file, "--json").out)["sweeps"]
    assert row["runs"] == 8
    again = _file(tmp_path, BAYES | {"command": words})
    done = command(capsys, "sweep", "run", again, "--count=2")
    assert "take --seeds and --over out of its" in done.err


def test_a_grid_has_a_run_for_each_value_that_the_command_stacks(tmp_path: Path) -> None:
    grid = {"method": "grid", "run_cap": 2, "parameters": {"optim.lr": {"values": [0.1, 0.2, 0.3]}}}
    words = [*TRAIN, "--seeds=1,2", "--n_steps=3"]
    found = read_sweep(_file(tmp_path, grid | {"command": words})).runs()
    assert [(run.config.optim.lr, run.config.data.split_seed) for run in found] == [
        (0.1, 1),
        (0.1, 2),
        (0.2, 1),
        (0.2, 2),
    ]
    twice = {"seed": {"values": [1]}}
    with pytest.raises(InputError, match="seed is given twice: as a parameter and in the command"):
        read_sweep(_file(tmp_path, grid | {"command": words, "parameters": twice}))


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_a_search_without_end_is_refused(
    method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = command(capsys, "sweep", "run", _file(tmp_path, BAYES | {"method": method}))
    assert done.code == 2
    assert f"a {method} sweep has no end; give --count=N, or run_cap" in done.err


@pytest.mark.parametrize("flag", ["--engine=slurm", "--shard=1/2"])
def test_a_bayes_sweep_is_searched_by_one_process(
    flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = command(capsys, "sweep", "run", _file(tmp_path, BAYES), "--count=2", flag)
    assert done.code == 2
    assert "searched by one process" in done.err


def test_nothing_is_stopped_early_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _file(tmp_path, RANDOM | {"early_terminate": {"type": "hyperband", "min_iter": 3}})
    done = command(capsys, "sweep", "run", file, "--count=2")
    assert done.code == 2
    assert "nothing is stopped early here" in done.err


class Trainer:
    """Stands in for the engine of processes: stores what the loss of a rate would be."""

    def __init__(self, key: str = "loss/test") -> None:
        self.key, self.rounds = key, []

    def __call__(self, configs: Sequence[RunConfig], runs_dir: Path, **options: object) -> Outcome:
        keys = [run_key(config) for config in configs]
        self.rounds.append(keys)
        new = []
        for key, config in zip(keys, configs, strict=True):
            run = RunStore(runs_dir).create(config)
            if run.status()["status"] == "completed":
                continue
            writer = ReadingsWriter(run)
            writer.add(0, {self.key: 9.0})
            writer.add(3, {self.key: (config.optim.lr - 0.03) ** 2})
            writer.flush()
            write_status(run, status="completed", step=3)
            new.append(key)
        return Outcome(new, [key for key in keys if key not in new], {}, [])


def _search(folder: Path, seed: int = 0) -> BayesSweep:
    sweep = read_sweep(_file(folder, BAYES), METHODS)
    return BayesSweep(sweep, [], folder / "runs", seed)


def test_a_bayes_sweep_comes_closer_to_the_optimum_than_chance(tmp_path: Path) -> None:
    with patch("grok.sweep.bayes.run_local", Trainer()):
        outcome = _search(tmp_path).train(10, workers=2)
    assert len(outcome.finished) == 10
    rates = np.array([run.values["optim.lr"] for run in _search(tmp_path).runs()])
    # Uniform draws are 0.029 away on average: the mean of |x - 0.03| on [0.001, 0.1].
    assert np.mean(np.abs(rates[5:] - 0.03)) < 0.029
    assert np.min(np.abs(rates - 0.03)) < 0.005


def test_an_interrupted_search_goes_on_with_what_it_has_proposed(tmp_path: Path) -> None:
    whole, first, second = Trainer(), Trainer(), Trainer()
    other = tmp_path / "other"
    other.mkdir()
    with patch("grok.sweep.bayes.run_local", whole):
        _search(other).train(4, workers=2)
    with patch("grok.sweep.bayes.run_local", first):
        _search(tmp_path).train(2, workers=2)
    _search(tmp_path).propose(2)  # proposed, and then the power went
    with patch("grok.sweep.bayes.run_local", second):
        outcome = _search(tmp_path).train(4, workers=2)
    assert second.rounds == [[*first.rounds[0], *outcome.finished]]
    assert [key for each in whole.rounds for key in each] == second.rounds[0]
    assert outcome.skipped == first.rounds[0]
    assert _search(tmp_path, seed=1).runs() == []  # another search


def test_a_search_that_sees_no_metric_stops(tmp_path: Path) -> None:
    with (
        patch("grok.sweep.bayes.run_local", Trainer("loss/train")),
        pytest.raises(ValueError, match="none of 2 runs has read loss/test"),
    ):
        _search(tmp_path).train(4, workers=2)


def test_damaged_proposals_are_named(tmp_path: Path) -> None:
    search = _search(tmp_path)
    search.propose(1)
    search.path.write_text("{")
    with pytest.raises(ValueError, match=f"{search.path.name} is damaged"):
        _search(tmp_path)


@pytest.mark.slow
def test_a_bayes_sweep_trains_real_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs_dir = f"--runs_dir={tmp_path / 'runs'}"
    words = ["sweep", "run", _file(tmp_path, BAYES), "--count=2", "--workers=2", runs_dir]
    assert command(capsys, *words).code == 0
    assert len(RunStore(tmp_path / "runs").runs()) == 2
    done = json.loads(command(capsys, *words, "--dry-run", "--json").out)
    assert [row["state"] for row in done["runs"]] == ["done", "done"]
