"""A page: one HTML file with all that it needs, which opens from the disk and asks nobody."""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from grok.report.page.plot import Plot
from grok.runs import plain


@dataclass(frozen=True)
class Section:
    """Plots and words under one heading."""

    id: str
    """Unique on its page, made of letters, digits and ``-``."""
    title: str
    """Heading."""
    plots: Sequence[Plot] = ()
    """In a grid, below the words."""
    words: str = ""
    """HTML."""
    is_closed: bool = False
    """Whether the reader has to open it."""


@dataclass(frozen=True)
class Page:
    """What a page shows."""

    title: str
    """Of the page and its window."""
    kind: str
    """``run``, ``sweep``, ``diagram`` or ``paper``."""
    head: str
    """HTML below the title: how things stand."""
    sections: Sequence[Section]
    """In their order; those without content are left out."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """For the page's own script, as JSON can hold it."""

    @property
    def shown(self) -> list[Section]:
        """Sections that have something."""
        return [section for section in self.sections if section.plots or section.words]

    @property
    def plots(self) -> list[Plot]:
        """All plots, in their order."""
        return [plot for section in self.shown for plot in section.plots]

    def content(self) -> dict[str, Any]:
        """What may change while runs go on: ``head``, ``nav``, ``body``, ``plots``, ``data``."""
        return {
            "head": self.head,
            "nav": _nav(self),
            "body": _body(self),
            "plots": [plot.spec() for plot in self.plots],
            "data": dict(self.data),
        }


def render(page: Page, *, live: bool = False) -> str:
    """The page as HTML.

    Args:
        page: What it shows.
        live: Whether it is served and asks its server for news; Plotly is then the server's too.
    """
    # A "</script>" in a name would end the element that holds it.
    known = {"plots": [plot.spec() for plot in page.plots], "data": page.data}
    content = json.dumps(plain(known), allow_nan=False).replace("</", "<\\/")
    plotly = '<script src="plotly.js"></script>' if live else f"<script>{plotly_js()}</script>"
    return _SHELL.format(
        title=escape(page.title),
        kind=page.kind,
        style=_resource("page.css"),
        head=page.head,
        body=_body(page),
        nav=_nav(page),
        live="true" if live else "false",
        content=content,
        plotly=plotly,
        script=_resource("page.js"),
    )


def plotly_js() -> str:
    """Plotly's own program, from its package."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def escape(text: Any) -> str:
    """Text as HTML shows it."""
    return html.escape(str(text))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, is_html: bool = False) -> str:
    """A table; cells that are numbers stand to the right.

    Args:
        columns: Headings.
        rows: Cells; None is shown as a dash.
        is_html: Whether cells are HTML already.
    """
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join(f"<tr>{''.join(_cell(x, is_html) for x in row)}</tr>" for row in rows)
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{table}</div>'


def tiles(values: Mapping[str, str]) -> str:
    """Numbers that a reader looks for first, each with its name."""
    each = (f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in values.items())
    return f'<dl class="tiles">{"".join(each)}</dl>'


def warning(text: str) -> str:
    """A line that must not be missed."""
    return f'<p class="warning" role="alert">{escape(text)}</p>'


def plural(n: int, one: str, several: str) -> str:
    """A number and what it counts: ``1 run is``, ``2 runs are``."""
    return f"{n:,} {one if n == 1 else several}"


def _cell(value: Any, is_html: bool) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td class="number">{number(value)}</td>'
    shown = "–" if value is None else str(value)
    return f"<td>{shown if is_html else escape(shown)}</td>"


def number(value: int | float) -> str:
    """A number for people: whole ones with commas, others with four digits."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _nav(page: Page) -> str:
    links = (f'<a href="#{s.id}">{escape(s.title)}</a>' for s in page.shown)
    return "".join(links)


def _body(page: Page) -> str:
    return "".join(map(_section, page.shown))


def _section(section: Section) -> str:
    plots = "".join(map(_figure, section.plots))
    grid = f'<div class="plots">{plots}</div>' if plots else ""
    heading = f"<h2>{escape(section.title)}</h2>"
    if section.is_closed:
        inner = f"<details><summary>{heading}</summary>{section.words}{grid}</details>"
    else:
        inner = f"{heading}{section.words}{grid}"
    return f'<section id="{section.id}">{inner}</section>'


def _figure(plot: Plot) -> str:
    wide = ' class="wide"' if plot.is_wide else ""
    note = f'<div class="note">{plot.note}</div>' if plot.note else ""
    return (
        f"<figure{wide}><figcaption>{escape(plot.title)}</figcaption>"
        f'<div class="plot" id="{plot.place}" style="height:{plot.height}px" role="img" '
        f'aria-label="{escape(plot.title)}"></div>{note}</figure>'
    )


def _resource(name: str) -> str:
    return (files("grok.report.page") / name).read_text(encoding="utf-8")


_SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body data-kind="{kind}" data-live="{live}">
<a class="skip" href="#main">Skip to the plots</a>
<header>
<h1>{title}</h1>
<button id="theme" type="button" aria-label="Change between light and dark">light / dark</button>
</header>
<nav aria-label="Sections">{nav}</nav>
<div id="head">{head}</div>
<main id="main">{body}</main>
<script id="content" type="application/json">{content}</script>
{plotly}
<script>{script}</script>
</body>
</html>
"""
