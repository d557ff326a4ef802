"""A phase diagram as the subject of a page."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from grok.cli.against import Reference, compare, find_reference
from grok.cli.common import with_seeds
from grok.cli.diagram_plan import decided_percent
from grok.cli.pages import Subject
from grok.config import run_key
from grok.runs import Run
from grok.sweep import Criterion, Grid, Sweep, SweepRun, cell_table, diagram_of, grid_of

if TYPE_CHECKING:
    from grok.report.page.document import Page


def diagram_subject(sweep: Sweep, flags: Sequence[str], options: Any) -> Subject:
    """The phase diagram of a sweep as it is stored, with the criterion that is its own.

    Args:
        sweep: Over two fields.
        flags: Overrides.
        options: ``runs_dir``, ``seeds`` and ``against``.

    Raises:
        InputError: If the sweep has no two axes, or there is nothing to compare with.
    """
    cells = sweep.cells(with_seeds(flags, options.seeds))
    grid = grid_of(cells)
    reference = find_reference(options.against, grid) if options.against else None
    runs = [Run(options.runs_dir / run_key(cell.config)) for cell in cells]
    name = sweep.name.replace("/", "_") + "_diagram"
    file = options.runs_dir / "reports" / f"{name}.html"

    def build() -> "Page":
        return _page(sweep.name, grid, cells, runs, reference)

    return Subject(name, file, build, lambda: [run.dir for run in runs])


def _page(
    name: str,
    grid: Grid,
    cells: Sequence[SweepRun],
    runs: Sequence[Run],
    reference: Reference | None,
) -> "Page":
    from grok.report.page.diagram_page import Beside, diagram_page

    criterion = Criterion(decided_percent(cells))
    table = cell_table(grid, cells, runs, criterion)
    beside = None
    if reference is not None:
        found = compare(reference, grid, table, criterion)
        beside = Beside(reference.name, found.theirs, found.exact, found.near, found.budget)
    in_order = sorted(cells, key=grid.place)
    optims = [cell.config.optim for cell in in_order]
    return diagram_page(name, diagram_of(grid, table, criterion), table, optims, beside)
