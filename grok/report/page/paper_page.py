"""The page of a paper: its claims with their verdicts, and the figures that they come from."""

import base64
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from grok.claims.reproduce import Result
from grok.report.claims import counts, part_text
from grok.report.figures import figures_of
from grok.report.figures.base import PaperFigure, Source
from grok.report.figures.draw import draw_figure
from grok.report.page.document import Page, Section, escape, table

_FIGURE = re.compile(r"[Ff]ig(?:ure|s)?\.?\s*(\d+)([a-d]?)")


def paper_page(paper: str, title: str, results: Sequence[Result], runs_dir: Path) -> Page:
    """Claims and figures of a paper, by what is stored.

    Args:
        paper: One of :data:`grok.tracking.panels.PAPERS`.
        title: Authors and year.
        results: Its claims, judged.
        runs_dir: Run store, for the figures.
    """
    figures = figures_of(paper)
    rows = [_row(result, figures) for result in results]
    columns = ("claim", "tier", "statement", "published", "ours: median [min, max]", "verdict")
    head = f"<p>{escape(counts(results))}. Made from the run store; nothing was trained.</p>"
    drawn = "".join(_figure(figure, runs_dir) for figure in figures.values())
    sections = [
        Section("claims", "Claims", words=table((*columns, "source"), rows, is_html=True)),
        Section("figures", "Figures", words=drawn),
    ]
    return Page(f"{title}: claims and figures", "paper", head, sections)


def _row(result: Result, figures: Iterable[str]) -> list[str]:
    claim = result.claim
    ours = "<br>".join(escape(part_text(part)) for part in result.parts) or escape(result.reason)
    verdict = f'<span class="{result.verdict.replace(" ", "-")}">{escape(result.verdict)}</span>'
    cells = [claim.id, claim.tier, claim.statement, claim.published]
    return [*map(escape, cells), ours, verdict, _source(claim.source, set(figures))]


def _source(source: str, figures: set[str]) -> str:
    """The source of a claim, linked to the figure if that is drawn below."""
    found = _FIGURE.search(source)
    names = [found[1] + found[2], found[1]] if found else []
    name = next((name for name in names if name in figures), None)
    return escape(source) if name is None else f'<a href="#figure-{name}">{escape(source)}</a>'


def _figure(figure: PaperFigure, runs_dir: Path) -> str:
    """A figure as a picture in the page, and what it lacks."""
    source = Source(runs_dir)
    picture = base64.b64encode(draw_figure(figure, source, [".png"])[".png"]).decode()
    lacks = "".join(
        f"<p>Not there: {escape(what)}. <code>{escape(command)}</code></p>"
        for what, command in dict.fromkeys(source.missing)
    )
    title = f"Figure {figure.name}: {figure.title}"
    return (
        f'<figure class="wide" id="figure-{figure.name}"><figcaption>{escape(title)}</figcaption>'
        f'<img alt="{escape(title)}" src="data:image/png;base64,{picture}">'
        f'<div class="note"><p>{escape(figure.source)}</p>{lacks}</div></figure>'
    )
