"""Every kind of page in a real browser, opened from the disk."""

from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import expect

from grok.claims import select
from grok.claims.reproduce import Result
from grok.cli.pages import subject_of
from grok.cli.report import parse
from grok.config import parse_run
from grok.lit.train import train
from grok.report.page.document import Page, Section, render
from grok.report.page.paper_page import paper_page
from grok.runs import RunStore
from grok.sweep import read_sweep
from tests.browser.conftest import Tab
from tests.report.stores import config_of, grokking, store_run

pytestmark = pytest.mark.slow
DIAGRAM = "effective_theory/addition_four_rates"
KINDS = ("run", "sweep", "diagram", "paper")


class Made(NamedTuple):
    """A page and its file."""

    page: Page
    file: Path


def _trained(store: Path) -> list[str]:
    """A run with the measures of a circuit."""
    flags = ["--data.p=11", "--model.d_model=16", "--model.n_heads=2", "--model.d_mlp=32"]
    flags += ["--n_steps=200", "--tracking.mode=disabled"]
    train(parse_run("progress_measures/addition_micro", flags), store, progress=False)
    return [RunStore(store).runs()[0].key]


def _several(store: Path) -> list[str]:
    """Two groups of three seeds, one run of which was interrupted, one never generalises."""
    for decay in ("0.1", "1.0"):
        for seed in range(3):
            is_first = (decay, seed) == ("0.1", 0)
            onset = None if decay == "0.1" and seed < 2 else 200 + 100 * seed
            status = {"status": "interrupted", "step": 200} if is_first else {}
            config = config_of(f"--optim.weight_decay={decay}", f"--seed={seed}")
            curves = grokking(onset, 200 if is_first else 1000)
            curves["norm/theta/all"] = ([0, 50, 100, 200], [9.0, 8.0, 7.0 - seed, 6.0])
            store_run(store, config, curves, **status)
    return []


def _grid(store: Path) -> list[str]:
    """Some cells of a diagram."""
    steps = [0, 100, 2000]
    for at, cell in enumerate(read_sweep(DIAGRAM).cells([])[:20]):
        late = [0.0, float(at % 2), 1.0]
        curves = {"acc/train": (steps, [0.0, 1.0, 1.0]), "acc/test": (steps, late)}
        store_run(store, cell.config, curves | {"repr/rqi": (steps, [0.1, 0.5, 0.99])})
    return [DIAGRAM, "--diagram"]


def _page(kind: str, store: Path) -> Page:
    if kind == "paper":
        results = [Result(c, "not run", reason="no run") for c in select("inductive-bias", ("U",))]
        return paper_page("inductive-bias", "Singh et al. 2026", results, store)
    words = {"run": _trained, "sweep": _several, "diagram": _grid}[kind](store)
    options, flags = parse([*words, f"--runs_dir={store}"], "test")
    return subject_of(options.what, flags, options).build()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """A page of each kind."""
    found = {}
    for kind in KINDS:
        store = tmp_path_factory.mktemp(kind)
        page, file = _page(kind, store), store / "page.html"
        file.write_text(render(page), encoding="utf-8")
        found[kind] = Made(page, file)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_plot_is_drawn_with_its_traces_and_axes(
    kind: str, made: dict[str, Made], tab: Tab
) -> None:
    page, file = made[kind]
    tab.open(file)
    places = tab.draw_all()
    assert places == [plot.place for plot in page.plots]
    assert kind == "paper" or len(places) >= 3
    for plot in page.plots:
        drawn = tab.run(
            """(id) => { const div = document.getElementById(id); return {
            n: div.data.length, x: div._fullLayout.xaxis.type, y: div._fullLayout.yaxis.type,
            marks: div.querySelectorAll('.js-line, .point, .hm').length }; }""",
            plot.place,
        )
        assert plot.id == "against" or drawn["n"] == len(plot.data), plot.place
        for axis, name in (("x", "xaxis"), ("y", "yaxis")):
            wanted = plot.layout.get(name, {}).get("type")
            assert wanted is None or drawn[axis] == wanted, plot.place
        assert drawn["marks"] > 0, plot.place
    assert tab.said == []
    assert tab.asked == [file.as_uri(), *(url for url in tab.asked if url.startswith("data:"))]
    tab.run("scrollTo(0, 0)")
    tab.picture(f"{kind}-light")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tab", [400], indirect=True)
def test_a_narrow_screen_has_it_all(kind: str, made: dict[str, Made], tab: Tab) -> None:
    tab.open(made[kind].file)
    tab.draw_all()
    assert tab.run("document.documentElement.scrollWidth") <= 400
    tab.run("scrollTo(0, 0)")
    tab.picture(f"{kind}-400")


CONTRAST = """() => {
  const light = (color) => { const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((c) => {
      const x = c / 255; return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const back = light(getComputedStyle(document.body).backgroundColor);
  const ratio = (element) => { const front = light(getComputedStyle(element).color);
    return (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05); };
  return ['h1', 'nav a', '.note', 'td'].map((name) => document.querySelector(name))
    .filter((element) => element).map(ratio); }"""


@pytest.mark.parametrize("kind", KINDS)
def test_both_themes_can_be_read_and_are_remembered(
    kind: str, made: dict[str, Made], tab: Tab
) -> None:
    tab.open(made[kind].file)
    for plot in made[kind].page.plots[:1]:
        tab.draw(plot.place)
    light = tab.run("getComputedStyle(document.body).backgroundColor")
    assert min(tab.run(CONTRAST)) >= 4.5
    tab.page.get_by_role("button", name="Change between light and dark").click()
    dark = tab.run("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    assert min(tab.run(CONTRAST)) >= 4.5
    if made[kind].page.plots:
        place = made[kind].page.plots[0].place
        text = tab.run("getComputedStyle(document.documentElement).getPropertyValue('--text')")
        color = "(id) => document.getElementById(id)._fullLayout.font.color"
        assert tab.run(color, place) == text.strip()
    tab.run("scrollTo(0, 0)")
    tab.picture(f"{kind}-dark")
    tab.page.emulate_media(color_scheme="light")
    tab.page.reload()
    assert tab.run("getComputedStyle(document.body).backgroundColor") == dark
    tab.run("localStorage.clear()")
    tab.page.emulate_media(color_scheme="dark")
    tab.page.reload()
    assert tab.run("getComputedStyle(document.body).backgroundColor") == dark


@pytest.mark.parametrize(
    ("kind", "place", "words"),
    [
        ("run", "plot-accuracy", "acc/"),
        ("sweep", "plot-group-1", "acc/"),
        ("diagram", "plot-phases", "T_tr"),
    ],
)
def test_the_pointer_shows_the_readings(
    kind: str, place: str, words: str, made: dict[str, Made], tab: Tab
) -> None:
    tab.open(made[kind].file)
    tab.draw(place)
    box = tab.page.locator(f"#{place} .bglayer, #{place} .plot").first.bounding_box()
    assert box is not None
    hover = tab.page.locator(f"#{place} .hoverlayer")
    for share in (0.5, 0.4, 0.6, 0.9, 0.95, 0.98):  # a curve shows what is near the pointer
        for y in (0.1, 0.5, 0.9, 0.05, 0.97):
            tab.page.mouse.move(box["x"] + share * box["width"], box["y"] + y * box["height"])
            tab.page.wait_for_timeout(60)
            if words in (hover.text_content() or ""):
                return
    pytest.fail(f"{place} shows {hover.text_content()!r}")


def test_the_keyboard_reaches_everything(made: dict[str, Made], tab: Tab) -> None:
    tab.open(made["run"].file)
    tab.page.keyboard.press("Tab")
    expect(tab.page.locator(".skip")).to_be_focused()
    tab.page.keyboard.press("Tab")
    expect(tab.page.locator("#theme")).to_be_focused()
    tab.page.keyboard.press("Tab")
    expect(tab.page.locator("nav a").first).to_be_focused()
    tab.page.keyboard.press("Enter")
    assert tab.page.url.endswith("#loss-and-accuracy")
    tab.page.locator("summary").first.focus()
    closed = tab.page.locator("details").first
    place = closed.locator(".plot").first.get_attribute("id")
    assert tab.run("(id) => document.getElementById(id)._fullLayout === undefined", place)
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_function(
        "(id) => document.getElementById(id)._fullLayout !== undefined", arg=place
    )


def test_any_number_can_be_put_against_any_other(made: dict[str, Made], tab: Tab) -> None:
    tab.open(made["sweep"].file)
    tab.draw_all()
    tab.page.select_option("select[name=y]", "norm/theta/all")
    title = "document.getElementById('plot-against')._fullLayout.yaxis.title.text"
    assert tab.run(title) == "norm/theta/all"
    values = "document.getElementById('plot-against').data.flatMap((trace) => trace.y)"
    assert tab.run(values) == [6.0] * 6
    tab.page.select_option("select[name=x]", "onset/test_acc_99")
    x = "document.getElementById('plot-against')._fullLayout.xaxis.type"
    assert tab.run(x) == "log"


def test_names_are_text_whatever_they_hold(tab: Tab, tmp_path: Path) -> None:
    name = "</script><img src=x onerror=document.title='gone'>"
    section = Section("a", name, words="<p>b</p>")
    file = tmp_path / "page.html"
    file.write_text(render(Page(name, "run", "", [section], {"names": [name]})), encoding="utf-8")
    tab.open(file)
    assert tab.page.title() == name
    assert tab.page.locator("img").count() == 0
    assert (
        tab.run("JSON.parse(document.getElementById('content').textContent).data.names[0]") == name
    )
