"""A paper as the subject of a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from grok.cli.common import parse_seeds
from grok.cli.pages import Subject
from grok.runs import RunStore
from grok.tracking.panels import PAPERS

if TYPE_CHECKING:
    from grok.report.page.document import Page


def paper_subject(paper: str, options: Any) -> Subject:
    """The claims and figures of a paper as the run store has them.

    Args:
        paper: A name of the command line.
        options: ``runs_dir`` and ``seeds``.
    """
    name = paper.replace("-", "_")
    file = options.runs_dir / "reports" / f"{name}.html"
    seeds = parse_seeds(options.seeds or "")
    store = RunStore(options.runs_dir)
    return Subject(
        name,
        file,
        lambda: _page(paper, options.runs_dir, seeds),
        lambda: [run.dir for run in store.runs()],
    )


def _page(paper: str, runs_dir: Path, seeds: list[int]) -> "Page":
    from grok.claims import claims_of
    from grok.claims.plan import make_plan
    from grok.claims.reproduce import judged
    from grok.report.page.paper_page import paper_page

    claims = claims_of(paper)
    plan = make_plan(claims, seeds)
    results = [judged(claim, plan, runs_dir, computes=False) for claim in claims]
    return paper_page(paper, PAPERS[paper], results, runs_dir)
