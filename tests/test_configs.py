"""The configs we ship: each trains, and says where it is from and how to run it."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from grok.config import RunConfig, TrackingConfig, flatten, load_run, parse_run, to_dict
from grok.data.image_config import ImageConfig
from grok.data.text_files import settled
from grok.lit.train import train
from tests.images import on_blank_mnist
from tests.texts import TEST, VALID, text_folder

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
PAPERS = {
    "inductive_bias": "Singh et al. 2026",
    "norm_growth": "Merrill et al. 2021",
    "effective_theory": "Liu et al. 2022",
    "progress_measures": "Nanda et al. 2023",
}

of_each_config = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


def head(path: Path) -> list[str]:
    """Lines of the comment that a file starts with."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return lines


def test_there_are_configs() -> None:
    assert len(CONFIGS) >= 5
    assert {path.parent.name for path in CONFIGS} == {*PAPERS, "speed"}


@pytest.mark.slow
@of_each_config
def test_a_shipped_config_trains_two_steps(path: Path, tmp_path: Path) -> None:
    config = replace(load_run(path), n_steps=2, tracking=TrackingConfig(mode="disabled"))
    if config.problem == "images":
        config = replace(config, images=_there(config.images, tmp_path / "files"))
    if config.problem == "language":
        folder = text_folder(tmp_path / "text", valid=40 * VALID, test=40 * TEST)
        text = replace(config.text, directory=str(folder), train_on="auto", sha256="")
        config = replace(config, text=settled(text))
    run = train(config, tmp_path / "runs", progress=False)
    assert run.status()["status"] == "completed"
    assert run.status()["step"] == 2
    readings = run.readings().drop_nulls("loss/train")
    due = [step for step in range(3) if config.measures.task.schedule.is_due(step)]
    assert readings["step"].to_list() == due
    assert readings["loss/train"].is_finite().all()


def _there(config: ImageConfig, folder: Path) -> ImageConfig:
    """Images that need no files of MNIST."""
    if config.source == "mnist":
        return on_blank_mnist(config, folder)
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's, which is not installed")
    return config


@of_each_config
def test_its_head_names_paper_and_figure(path: Path) -> None:
    text = " ".join(head(path))
    if path.parent.name == "speed":  # of no paper
        assert "docs/performance.md" in text
    else:
        assert PAPERS[path.parent.name] in text
        assert re.search(r"(figure|section|table|appendix)s? \S*\d", text)
    assert re.fullmatch(r"\S.*[.:].*", head(path)[0]), "the first line is the title in `grok list`"


@of_each_config
def test_the_command_in_its_head_runs_it(path: Path) -> None:
    [command] = [line for line in head(path) if line.startswith("grok train ")]
    # Values to try in its place may follow in brackets.
    [_, _, experiment, *flags] = shlex.split(re.split(r"\s{2,}\(", command)[0])
    assert experiment == path.stem
    assert parse_run(experiment, flags).tracking.group == f"{path.parent.name}/{path.stem}"


@of_each_config
def test_it_lists_only_what_differs_from_the_defaults(path: Path) -> None:
    defaults = flatten(to_dict(RunConfig()))
    listed = flatten(yaml.safe_load(path.read_text(encoding="utf-8")))
    if "model.norm" in listed:  # a published name
        del listed["model.norm"]
    config = flatten(to_dict(load_run(path)))
    assert [key for key in listed if config[key] == defaults[key]] == []
