"""The table of a paper's claims: claim, published, ours, verdict."""

from collections import Counter
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from grok.claims import Claim
from grok.claims.claim import Part
from grok.claims.reproduce import Result
from grok.report.terminal import console, markdown_table, print_table

_PLAIN_WIDTH = 10_000
"""Columns of a file or pipe: more than any row has, so that none is folded."""

_LISTED = ("id", "tier", "statement", "source", "published")

_STYLE = {"holds": "green", "fails": "bold red", "not run": "yellow"}


def print_results(results: Sequence[Result]) -> None:
    """One row per claim, one line per part of its criterion, then the counts.

    Args:
        results: What :func:`grok.claims.reproduce.reproduce` gave.
    """
    out = console()
    table = Table(padding=(0, 1), show_lines=out.is_terminal, header_style="bold")
    if not out.is_terminal:
        out.width = _PLAIN_WIDTH
    for name, ratio in (("claim", 3), ("published", 2), ("ours: median [min, max]", 5)):
        table.add_column(name, ratio=ratio if out.is_terminal else None, overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for result in results:
        claim = result.claim
        ours = "\n".join(map(part_text, result.parts)) or result.reason
        verdict = Text(result.verdict, style=_STYLE[result.verdict])
        table.add_row(
            f"{claim.id} ({claim.tier}) {claim.statement}", claim.published, ours, verdict
        )
    print_table(out, table)
    out.print(counts(results))


def part_text(part: Part) -> str:
    """One inequality: ``M: step of test accuracy 0.99: 800 [775, 900] (≤ 1,300)``."""
    if part.holds is None:
        return f"{part.quantity}: {part.ours}"
    mark = "" if part.holds else "  <- not met"
    return f"{part.quantity}: {part.ours} ({part.criterion}){mark}"


def counts(results: Sequence[Result]) -> str:
    """How many claims hold, fail, and were not run."""
    found = Counter(result.verdict for result in results)
    several = {"holds": "hold", "fails": "fail", "not run": "not run"}
    words = {name: name if found[name] == 1 else several[name] for name in several}
    return ", ".join(f"{found[name]} {word}" for name, word in words.items() if found[name])


def claim_row(claim: Claim) -> dict[str, str]:
    """A claim as plain values: ``grok list claims --json``."""
    return {name: getattr(claim, name) for name in _LISTED}


def print_claims(claims: Sequence[Claim]) -> None:
    """The claims there are: ``grok list claims``."""
    out = console()
    if not out.is_terminal:
        out.width = _PLAIN_WIDTH
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in _LISTED:
        table.add_column(name, overflow="fold", no_wrap=name in ("id", "tier"))
    for claim in claims:
        table.add_row(*claim_row(claim).values())
    print_table(out, table)


def markdown(results: Sequence[Result]) -> str:
    """The table for a paper's page: ``grok reproduce PAPER --markdown``."""
    rows = []
    for result in results:
        claim = result.claim
        ours = "<br>".join(map(part_text, result.parts)) or result.reason
        cells = (f"({claim.tier}) {claim.statement}", claim.published, ours, result.verdict)
        first, *rest = (cell.replace("*", "\\*") for cell in cells)
        rows.append([f"**{claim.id}** {first}", *rest])
    lines = markdown_table(("claim", "published", "ours: median [min, max]", "verdict"), rows)
    return "\n".join(lines) + "\n"
