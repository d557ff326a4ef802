"""The page of one run."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from grok.config import parse_run
from grok.lit.train import train
from grok.report.page.document import render
from grok.report.page.plot import packed
from grok.report.page.run_page import run_page
from grok.runs import Run, RunStore
from tests.report.stores import config_of, grokking, store_run

MICRO = ["--data.p=11", "--model.d_model=16", "--model.n_heads=2", "--model.d_mlp=32"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with the measures of a circuit."""
    flags = [*MICRO, "--n_steps=200", "--tracking.mode=disabled"]
    config = parse_run("progress_measures/addition_micro", flags)
    store = tmp_path_factory.mktemp("trained")
    train(config, store, progress=False)
    return RunStore(store).runs()[0]


def unpacked(array: Any) -> np.ndarray:
    """What :func:`packed` was given, as Plotly would decode it."""
    found = np.frombuffer(base64.b64decode(array["bdata"]), f"<{array['dtype']}")
    shape = [int(n) for n in array.get("shape", str(len(found))).split(",")]
    return found.reshape(shape)


@pytest.mark.parametrize(
    "values", [[0, 5, 10_000], [0.5, float("nan"), -1e6], [[1, 2], [3, 4]], [2**40], [True, False]]
)
def test_an_array_is_packed_as_plotly_decodes_it(values: Any) -> None:
    np.testing.assert_allclose(unpacked(packed(values)), np.array(values, float), rtol=1e-6)


def test_a_trained_run_has_every_part(trained: Run) -> None:
    page = run_page(trained)
    titles = [section.title for section in page.shown]
    assert titles[:3] == ["Loss and accuracy", "Embedding", "Attention patterns"]
    assert {"Fourier circuit", "What the keys mean"} < set(titles)
    places = [plot.place for plot in page.plots]
    assert len(set(places)) == len(places)
    assert sum(place.startswith("plot-circle-") for place in places) > 0
    assert sum(place.startswith("plot-head-") for place in places) == 2
    assert "plot-power-in-each-frequency" in places
    assert "plot-components" in places


def test_every_plot_is_one_that_plotly_knows(trained: Run) -> None:
    for plot in run_page(trained).plots:
        go.Figure(data=list(plot.data), layout=dict(plot.layout))  # raises on what it has not


def test_curves_are_the_readings_without_step_0(trained: Run) -> None:
    readings = trained.all_series()
    (plot,) = [plot for plot in run_page(trained).plots if plot.title == "Loss"]
    assert [trace["name"] for trace in plot.data] == ["loss/train", "loss/test"]
    for trace in plot.data:
        steps, values = readings[trace["name"]]
        np.testing.assert_array_equal(unpacked(trace["x"]), steps[steps > 0])
        np.testing.assert_allclose(unpacked(trace["y"]), values[steps > 0], rtol=1e-6)
    assert (plot.layout["xaxis"]["type"], plot.layout["yaxis"]["type"]) == ("log", "log")


def test_attention_is_that_of_the_last_checkpoint(trained: Run) -> None:
    plots = {plot.place: plot for plot in run_page(trained).plots}
    to_a = unpacked(plots["plot-head-0-0"].data[0]["z"])
    assert to_a.shape == (11, 11)
    assert ((to_a > 0) & (to_a < 1)).all()
    circle = plots[next(p for p in plots if p.startswith("plot-circle"))].data[0]
    assert len(unpacked(circle["x"])) == 11


def test_every_key_that_is_drawn_is_defined_on_the_page(trained: Run) -> None:
    text = render(run_page(trained))
    links = set(re.findall(r'href="#(key-[^"]+)"', text))
    assert links
    assert links <= set(re.findall(r'id="(key-[^"]+)"', text))


def test_the_page_asks_nobody(trained: Run) -> None:
    text = render(run_page(trained))
    own = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!#|data:)', own)
    assert "url(" not in own
    assert text.count("plotly.js v") == 1


def test_onsets_and_the_delay_are_marked(tmp_path: Path) -> None:
    page = run_page(store_run(tmp_path, config_of(), grokking(400)))
    assert ">50<" in page.head  # training
    assert ">400<" in page.head
    assert ">350<" in page.head
    layout = page.plots[0].layout
    assert [shape["x0"] for shape in layout["shapes"]] == [50, 400]
    assert layout["annotations"][1]["x"] == pytest.approx(np.log10(400))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"status": "interrupted", "step": 500}, "stopped by a signal"),
        ({"status": "diverged", "step": 500}, "no longer a number"),
        ({"status": "running", "step": 500}, "its process is gone"),
        ({"status": "failed", "step": 500}, "ended with an error"),
    ],
)
def test_a_run_that_did_not_end_well_says_so(
    status: dict[str, Any], words: str, tmp_path: Path
) -> None:
    page = run_page(store_run(tmp_path, config_of(), grokking(None), **status))
    assert words in page.head
    assert "not reached" in page.head
    assert len(page.plots) > 1


def test_damaged_files_are_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    run = store_run(tmp_path, config_of(), grokking(400))
    (run.dir / "status.json").write_text("{")
    page = run_page(run)
    assert "status.json is damaged" in page.head
    assert page.plots
    next(run.readings_dir.iterdir()).write_bytes(b"PAR1 not")
    page = run_page(run)
    assert "part-000001.parquet is damaged" in page.head
    assert not page.plots
    assert "data.train_fraction" not in page.head
    assert "train_fraction" in render(page)  # the config is there still


def test_a_run_without_readings_says_so(tmp_path: Path) -> None:
    page = run_page(RunStore(tmp_path).create(config_of()))
    assert "nothing has been read yet" in page.head


def test_nan_and_infinity_are_gaps(tmp_path: Path) -> None:
    curves = {"loss/test": ([1, 2, 3, 4], [1.0, float("nan"), float("inf"), 2.0])}
    text = render(run_page(store_run(tmp_path, config_of(), curves)))
    (content,) = re.findall(r'<script id="content"[^>]*>(.*?)</script>', text, flags=re.DOTALL)
    (trace,) = json.loads(content)["plots"][0]["data"]
    assert np.isnan(unpacked(trace["y"])[1])


def test_a_name_cannot_end_the_script_that_holds_it(tmp_path: Path) -> None:
    store = tmp_path / "<img src=x onerror=alert(1)>"
    run = store_run(store, config_of("--tracking.group=</script><b>"), grokking(400))
    text = render(run_page(run))
    assert "<img src=x" not in text
    assert "</script><b>" not in text
