"""Cells of a grid that are put together are what they are when each is parsed."""

from typing import Any

import pytest

from grok.config import RunConfig, parse_run, with_seed
from grok.sweep.cells import Values, configs_of


class Parser:
    """Parses cells over one experiment, and counts."""

    def __init__(self, experiment: str = "readout_scale") -> None:
        self.experiment, self.cells = experiment, []

    def __call__(self, values: Values) -> RunConfig:
        self.cells.append(values)
        return parse_run(self.experiment, [f"--{name}={x}" for name, x in values.items()])


AXES: dict[str, tuple[Any, ...]] = {
    "model.norm": ("none", "M", "A*"),
    "optim.lr": (1e-3, 1e-2),
    "seed": (1, 2, 3),
}


def test_only_single_changes_are_parsed() -> None:
    parse = Parser()
    found = configs_of(AXES, parse)
    assert len(found) == 18
    assert len(parse.cells) == 1 + 2 + 1 + 2
    assert [values for values, _ in found[:4]] == [
        {"model.norm": "none", "optim.lr": lr, "seed": seed}
        for lr, seed in ((1e-3, 1), (1e-3, 2), (1e-3, 3), (1e-2, 1))
    ]
    assert all(config == Parser()(values) for values, config in found)


def test_axes_that_set_the_same_field_are_parsed_cell_by_cell() -> None:
    def parse(values: Values) -> RunConfig:
        return with_seed(RunConfig(), values["a"] * values["b"])

    found = configs_of({"a": (2, 3), "b": (5, 7)}, parse)
    assert [config.model.init_seed for _, config in found] == [10, 14, 15, 21]


def test_a_seed_of_its_own_wins_over_the_seed() -> None:
    found = configs_of({"seed": (1, 2), "model.init_seed": (5, 6)}, Parser())
    seeds = [(config.data.split_seed, config.model.init_seed) for _, config in found]
    assert seeds == [(1, 5), (1, 6), (2, 5), (2, 6)]


def test_a_value_that_changes_nothing_keeps_its_cell() -> None:
    found = configs_of({"optim.hold": ("lambda", "eta_lambda"), "seed": (0,)}, Parser())
    assert [config.optim.hold for _, config in found] == ["lambda", "eta_lambda"]
    assert len(configs_of({"seed": (4, 4)}, Parser())) == 2
    assert configs_of({}, Parser()) == [({}, parse_run("readout_scale"))]


def test_values_that_exclude_each_other_are_named() -> None:
    axes = {"toy.n_train": (20, 50), "toy.p": (10, 8)}  # 8 symbols have 36 pairs
    with pytest.raises(ValueError, match=r"toy\.n_train=50: allowed are 1 to 35"):
        configs_of(axes, Parser("toy_addition"))
