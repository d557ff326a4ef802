"""A run put together from parts is that of the parser of all fields, which decides otherwise."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from grok.config import RunConfig, flatten, parse, parse_run, to_dict
from grok.config.experiments import find_experiment
from grok.config.parts import NotInParts, assembled, parts

CASES = [
    ("layernorm", ""),
    ("layernorm", '--model.norm={"mlp":true,"q":true} --model.n_layers=2 --model.d_mlp=7'),
    ("toy_addition", "--toy.width=33 --optim.embed_lr=3e-2 --optim.betas=[0.8,0.95]"),
    ("modular_addition", "--n_steps=7 --device=cpu --measures.progress.keys=[3,4]"),
    ("digits", "--measures.hessian.enabled=true --measures.task.schedule.every=7"),
    ("repeated_subsequence", "--data.split_seed=3 --data.split_seed=4 --tracking.tags=[a,b]"),
]


def values_of(experiment: str) -> dict[str, Any]:
    path = find_experiment(experiment).path
    return parse._values(path, path.read_text(encoding="utf-8"), "paper/some")


@pytest.mark.parametrize(("experiment", "flags"), CASES)
def test_the_run_is_that_of_the_whole_parser(experiment: str, flags: str) -> None:
    values = values_of(experiment)
    found = assembled(values, flags.split())
    assert found == parse.whole(values, flags.split())
    assert to_dict(found) == to_dict(parse.whole(values, flags.split()))


def test_every_field_is_in_one_part() -> None:
    for field in flatten(to_dict(RunConfig())):
        holders = [name for name in parts() if name and field.startswith(f"{name}.")]
        assert len(holders) == ("." in field), field


@pytest.mark.parametrize(
    "flag",
    ['--measures={"task":{"enabled":false}}', '--optim={"lr":0.5}'],
)
def test_a_section_at_once_is_left_to_the_whole_parser(flag: str) -> None:
    with pytest.raises(NotInParts):
        assembled(values_of("layernorm"), [flag])
    config = parse_run("layernorm", [flag])
    assert not config.measures.task.enabled or config.optim.lr == 0.5


@pytest.mark.parametrize("values", [{"optimm": {}}, {"measures": {"tsk": {}}}, {"lr": 1}])
def test_a_name_of_no_part_is_left_to_the_whole_parser(values: dict[str, Any]) -> None:
    with pytest.raises(NotInParts):
        assembled(values, [])


def test_a_flag_of_one_field_parses_its_part_alone(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_text("optim: {lr: 0.25}\n")
    with patch("grok.config.parse.whole", side_effect=AssertionError):
        config = parse.load_run(file, ["--optim.weight_decay=0.125", "--n_steps=9"])
    assert (config.optim.lr, config.optim.weight_decay, config.n_steps) == (0.25, 0.125, 9)
