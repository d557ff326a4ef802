"""The list of panels draws what runs log, and nothing else."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grok.claims import PAPERS as PAPERS_WITH_CLAIMS
from grok.config import CheckpointConfig, MeasuresConfig, RunConfig, Schedule, TrackingConfig
from grok.config.measures import readable_on
from grok.inputs import InputError
from grok.keys import FAMILY_MEANINGS
from grok.lit.train import train
from grok.runs import Run
from grok.runs.summary import EVENTS
from grok.tracking.dashboard import metric_regex
from grok.tracking.panel import Panel, find_row
from grok.tracking.panels import CURVES, PAPERS, sections
from tests.builders import sequences, tiny
from tests.running import measures
from tests.toys import toy
from tests.tracking.test_tracking import files, inspect

PANELS = [panel for section in sections() for panel in section.panels]
EVERY_OTHER = Schedule(every=2)


def unknown(panels: Iterable[Panel]) -> list[str]:
    """Keys of panels that the table of keys does not have."""
    keys = [key for panel in panels for key in panel.keys]
    return [key for key in keys if find_row(key) is None]


def unlogged(panels: Iterable[Panel], logged: Iterable[str]) -> list[str]:
    """Keys of panels of which no logged key is one."""
    each = [(panel, key) for panel in panels for key in panel.keys]
    return [key for panel, key in each if not replace(panel, keys=(key,)).of(logged)]


def test_every_key_of_a_panel_is_in_the_table() -> None:
    assert unknown(PANELS) == []
    misspelt = [Panel("a", ("los/train",)), Panel("b", ("attn/entropi/<layer>", "loss/test"))]
    assert unknown(misspelt) == ["los/train", "attn/entropi/<layer>"]


def test_every_measure_family_has_a_panel() -> None:
    assert set(FAMILY_MEANINGS) <= {panel.family for panel in PANELS}
    assert {panel.kind for panel in PANELS} == {"line", "scalar", "heatmap"}


def test_titles_are_different_where_they_stand_together() -> None:
    for section in sections():
        titles = [panel.title for panel in section.panels]
        assert len(set(titles)) == len(titles), section.title


def test_a_heat_map_is_of_one_pattern_and_its_spectrum_is_no_curve() -> None:
    for panel in PANELS:
        vectors = [key for key in panel.keys if (row := find_row(key)) and row.is_vector]
        assert vectors == (list(panel.keys) if panel.kind == "heatmap" else []), panel.title
        assert panel.kind != "heatmap" or len(panel.keys) == 1


def test_a_pattern_stands_for_what_a_run_has_of_it_in_the_order_of_its_layers() -> None:
    panel = Panel("a", ("loss/test", "attn/entropy/<layer>", "loss/train"))
    logged = [
        "loss/train",
        "loss/train/0",
        "attn/entropy/10",
        "attn/entropy/2",
        "attn/entropy/2/0",
        "acc/test",
    ]
    assert panel.of(logged) == ["attn/entropy/2", "attn/entropy/10", "loss/train"]
    assert unlogged([panel], logged) == ["loss/test"]


def test_a_paper_has_the_curves_and_the_panels_of_its_figures() -> None:
    assert list(PAPERS) == list(PAPERS_WITH_CLAIMS)
    for paper, title in PAPERS.items():
        curves, figures = sections(paper.replace("-", "_"))
        assert (curves, figures.title) == (CURVES, title)
        expected = [panel for panel in PANELS if paper in panel.papers]
        assert list(figures.panels) == expected != []
    with pytest.raises(InputError, match="'x'; there are: inductive-bias, progress-measures"):
        sections("x")


def all_families(config: RunConfig) -> RunConfig:
    """The run with every family that can be read on it."""
    families = {
        name: replace(getattr(MeasuresConfig(), name), enabled=True, schedule=EVERY_OTHER)
        for name in readable_on(config.problem)
    }
    families["dynamics"] = replace(families["dynamics"], lag=2)
    return replace(config, measures=MeasuresConfig(**families))


def trained(config: RunConfig, root: Path, mode: Any = "offline") -> Run:
    """The run, of two updates, with a checkpoint for what is read when it has ended."""
    kept, tracking = CheckpointConfig(every=2), TrackingConfig(mode=mode)
    config = replace(config, n_steps=2, checkpoint=kept, tracking=tracking)
    return train(config, root, progress=False)


def on_wandb(run: Run) -> set[str]:
    """Keys in the run's W&B file: its summary has the last value of each that it logged."""
    (path,) = files(run)
    return set(json.loads(inspect(path, "--summary"))["summary"])


@pytest.mark.slow
def test_what_panels_show_is_what_runs_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in ("train_acc_99", "test_acc_99"):  # reached at once; never is no value on W&B
        monkeypatch.setitem(EVENTS, name, EVENTS[name]._replace(threshold=0.0))
    problems = ("digit_addition", "repeated_subsequence", "majority")
    task, toys = measures(task=EVERY_OTHER), measures(task=EVERY_OTHER, repr=EVERY_OTHER)
    runs = [trained(c, tmp_path) for c in (all_families(tiny()), toy(dim=2, measures=toys))]
    copied = set().union(*map(on_wandb, runs))
    for problem in problems:  # their keys are in the run store: one reader of W&B is enough
        runs.append(trained(sequences(problem, measures=task), tmp_path, mode="disabled"))
        copied |= set(runs[-1].readings().columns)
    stored = {key for run in runs for key in run.readings().columns}

    there = [panel for panel in PANELS if panel.is_on_wandb]
    assert unlogged(there, copied) == []
    elsewhere = [panel for panel in PANELS if not panel.is_on_wandb]
    assert unlogged(elsewhere, stored) == []
    assert [panel.of(copied) for panel in elsewhere] == [[]] * len(elsewhere)

    # W&B finds keys by an expression of its own, which must mean the same.
    for panel in there:
        regex = re.compile(metric_regex(panel.keys))
        found = {key for key in copied if regex.search(key)}
        assert found == set(panel.of(copied)), panel.title
