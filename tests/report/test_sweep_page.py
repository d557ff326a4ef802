"""The page of several runs."""

from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from grok.report.page.document import Page, render
from grok.report.page.group import grouped
from grok.report.page.onset_plots import survival
from grok.report.page.sweep_page import sweep_page
from grok.runs import Run
from tests.report.stores import config_of, grokking, store_run
from tests.report.test_run_page import unpacked

DECAYS = ("0.1", "1.0")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict[str, object], Run]]:
    """Two groups of three seeds: one generalises at 300, 400, 500; of the other one does, at 600,
    one does not, and one was interrupted at step 200."""
    store = tmp_path_factory.mktemp("runs")
    found = []
    onsets: dict[str, list[int | None]] = {"0.1": [600, None, None], "1.0": [300, 400, 500]}
    for decay in DECAYS:
        for seed, onset in enumerate(onsets[decay]):
            config = config_of(f"--optim.weight_decay={decay}", f"--seed={seed}")
            is_short = (decay, seed) == ("0.1", 2)
            curves = grokking(onset, 200 if is_short else 1000)
            curves["norm/theta/all"] = ([0, 100, 200], [10.0, 9.0, 8.0 - seed])
            status = {"status": "interrupted", "step": 200} if is_short else {}
            run = store_run(store, config, curves, **status)
            found.append(({"optim.weight_decay": float(decay), "seed": seed}, run))
    return found


@pytest.fixture(scope="module")
def page(runs: list[tuple[dict[str, object], Run]]) -> Page:
    return sweep_page("a/sweep", runs)


def test_runs_that_differ_by_their_seeds_are_a_group(
    runs: list[tuple[dict[str, object], Run]],
) -> None:
    store = grouped(runs)
    assert [group.name for group in store.groups] == ["1: weight_decay 0.1", "2: weight_decay 1.0"]
    assert [len(group.members) for group in store.groups] == [3, 3]
    assert store.axes == ["optim.weight_decay"]


def test_without_a_sweep_the_axes_are_the_fields_that_differ(
    runs: list[tuple[dict[str, object], Run]],
) -> None:
    store = grouped([(None, run) for _, run in runs])
    assert store.axes == ["optim.weight_decay"]
    assert [len(group.members) for group in store.groups] == [3, 3]


def test_the_head_counts(page: Page) -> None:
    for words in ("<dd>6</dd>", "<dd>2</dd>", "<dd>5</dd>", "<dd>1</dd>", "<dd>4</dd>"):
        assert words in page.head
    assert "1 run has not come to the end" in page.head


def test_every_seed_is_a_line_and_the_median_and_range_are_over_common_steps(page: Page) -> None:
    (plot,) = [plot for plot in page.plots if plot.id == "group-1"]
    of_test = [trace for trace in plot.data if trace["name"].startswith("acc/test")]
    assert [trace["name"] for trace in of_test] == [
        "acc/test seed 0",
        "acc/test seed 1",
        "acc/test seed 2",
        "acc/test",
    ]
    median = of_test[-1]
    reached = unpacked(median["x"])[unpacked(median["y"]) == 1]
    assert reached[0] == 400
    low, high = plot.data[6:8]  # after the band, seeds and median of the training accuracy
    in_band = unpacked(low["x"])[(unpacked(low["y"]) < 1) & (unpacked(high["y"]) == 1)]
    assert (in_band[0], in_band[-1]) == (300, 490)


def test_runs_that_did_not_generalise_are_open_marks_at_their_last_step(page: Page) -> None:
    (plot,) = [plot for plot in page.plots if plot.id == "onsets"]
    reached, censored = plot.data
    assert sorted(reached["y"]) == [300, 400, 500, 600]
    assert sorted(zip(censored["x"], censored["y"], strict=True)) == [("1", 200), ("1", 1000)]
    assert "open" in censored["marker"]["symbol"]


def test_the_share_is_one_less_the_kaplan_meier_estimate(
    runs: list[tuple[dict[str, object], Run]],
) -> None:
    first, second = grouped(runs).groups
    steps, share = survival(second)
    np.testing.assert_array_equal(steps, [1, 300, 400, 500, 500])
    np.testing.assert_allclose(share, [0, 1 / 3, 2 / 3, 1, 1])
    # Of three, one ended at step 200: two are at risk at 600, of which one generalises.
    steps, share = survival(first)
    np.testing.assert_array_equal(steps, [1, 600, 1000])
    np.testing.assert_allclose(share, [0, 0.5, 0.5])


def test_any_number_of_a_run_can_be_an_axis(page: Page) -> None:
    data = page.data
    at = data["columns"].index("norm/theta/all")
    assert sorted(row["values"][at] for row in data["rows"]) == [6.0, 6.0, 7.0, 7.0, 8.0, 8.0]
    at = data["columns"].index("onset/test_acc_99")
    assert [row["values"][at] for row in data["rows"]] == [600, None, None, 300, 400, 500]
    assert data["columns"][0] == "optim.weight_decay"


def test_every_plot_is_one_that_plotly_knows(page: Page) -> None:
    for plot in page.plots:
        go.Figure(data=list(plot.data), layout=dict(plot.layout))
    places = [plot.place for plot in page.plots]
    assert len(set(places)) == len(places)
    render(page)


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    good = store_run(tmp_path, config_of("--seed=1"), grokking(400))
    bad = store_run(tmp_path, config_of("--seed=2"), grokking(400))
    (bad.dir / "config.yaml").write_text("optim: [")
    absent = Run(tmp_path / "absent")
    page = sweep_page("runs", [(None, good), (None, bad), (None, absent)])
    assert f"{bad.key}/config.yaml" in page.head
    assert "1 run is not stored" in page.head
    assert page.plots


def test_no_runs_is_a_page_that_says_so() -> None:
    page = sweep_page("nothing", [])
    assert "there are no runs with readings" in page.head
    assert not page.plots
    render(page)
