"""A published figure as a function of stored runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from grok.claims.claim import Arm as ClaimArm
from grok.claims.evidence import ArmEvidence
from grok.config import RunConfig, run_key
from grok.runs import Run
from grok.sweep import SweepRun, read_sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Missing(NamedTuple):
    """Something that a figure shows and the run store lacks."""

    what: str
    """In words, one line."""
    command: str
    """What makes it."""


class Arm(NamedTuple):
    """Runs that are drawn as one curve, once per seed."""

    label: str
    """In the legend."""
    sweep: str
    """Sweep file, ``paper/name``."""
    flags: tuple[str, ...] = ()
    """Overrides; they leave one cell per seed."""
    n_steps: int = 10_000
    """Updates that the figure shows."""

    @classmethod
    def of(cls, label: str, runs: ClaimArm) -> "Arm":
        """The runs of a claim under a label."""
        return cls(label, runs.sweep, runs.flags, runs.n_steps)


@dataclass
class Source:
    """The runs of a figure as they are stored, and a list of what is lacking.

    A figure draws what it is given. It never trains.
    """

    runs_dir: Path
    """Run store."""
    seeds: tuple[int, ...] = ()
    """Seeds to draw; none for those of each sweep file."""
    smooth: int = 1
    """Readings in the moving mean of the authors; 1 draws what was read."""
    missing: list[Missing] = field(default_factory=list)
    """What was asked for and is not there."""

    def arm(self, arm: Arm) -> ArmEvidence | None:
        """Readings of an arm by seed, as far as its runs have come; None if none is stored.

        What is not there, or ends before the figure does, is noted as missing.

        Raises:
            InputError: If the sweep or a flag cannot be used.
            ValueError: If the flags leave several cells a seed.
        """
        cells = self._cells(arm.sweep, arm.flags)
        if len({cell.config.model.init_seed for cell, _ in cells}) < len(cells):
            raise ValueError(f"{arm.label}: several cells of {arm.sweep} are left a seed")
        runs, short = {}, 0
        for cell, run in cells:
            step = _step(run)
            if step:
                runs[cell.config.model.init_seed] = run
            short += step < arm.n_steps
        if short:
            what = f"{arm.label}: {short} of {len(cells)} runs of {arm.n_steps:,} steps"
            self.missing.append(Missing(what, self._command(arm.sweep, arm.flags, arm.n_steps)))
        return ArmEvidence(runs, arm.n_steps) if runs else None

    def cells(self, sweep: str, flags: Sequence[str] = ()) -> list[tuple[SweepRun, Run]]:
        """Every cell of a sweep with its run, in the order of the file, stored or not.

        Those that did not come to an end are noted as missing, in one line.
        """
        cells = self._cells(sweep, flags)
        left = sum(not _is_over(cell.config, run) for cell, run in cells)
        if left:
            what = f"{left} of {len(cells)} runs of {sweep}"
            self.missing.append(Missing(what, self._command(sweep, flags)))
        return cells

    def lacks(self, what: str, command: str) -> None:
        """Note something else that is missing."""
        self.missing.append(Missing(what, command))

    def command(self, arm: Arm) -> str:
        """What makes the runs of an arm."""
        return self._command(arm.sweep, arm.flags, arm.n_steps)

    def _cells(self, sweep: str, flags: Sequence[str]) -> list[tuple[SweepRun, Run]]:
        seeds = [f"--seeds={','.join(map(str, self.seeds))}"] if self.seeds else []
        found = read_sweep(sweep).runs([*flags, *seeds])
        return [(cell, Run(self.runs_dir / run_key(cell.config))) for cell in found]

    def _command(self, sweep: str, flags: Sequence[str], n_steps: int | None = None) -> str:
        words = ["grok sweep run", sweep, *flags]
        words += [f"--n_steps={n_steps}"] if n_steps is not None else []
        words += [f"--seeds={','.join(map(str, self.seeds))}"] if self.seeds else []
        return " ".join(words)


def _is_over(config: RunConfig, run: Run) -> bool:
    """Whether a run did all updates of a config, or ended before by a rule that it has too.

    A run that another sweep stopped early, or asked for less, is not over.
    """
    status = run.status()
    if status["status"] != "completed":
        return status["status"] == "diverged"
    is_stopped = config.stop.when != "never" and status["step"] < status.get("n_steps", 0)
    return status["step"] >= config.n_steps or is_stopped


def _step(run: Run) -> int:
    """Updates that are stored of a run; 0 of one that cannot be read."""
    try:
        return run.status()["step"]
    except ValueError:
        return 0


@dataclass(frozen=True, kw_only=True)
class PaperFigure:
    """A figure of a paper."""

    name: str
    """Its number: ``5``, ``3a``."""
    title: str
    """What it shows, one line."""
    source: str
    """Where it is in the paper, what of it is ours, and every departure."""
    draw: "Callable[[Figure, Source], None]"
    """Draws into an empty figure."""
    size: tuple[float, float] = (7.0, 3.2)
    """Inches."""


def figure(**fields: object) -> "Callable[[Callable[[Figure, Source], None]], PaperFigure]":
    """Decorator: the function draws the figure that the fields describe."""

    def of(draw: "Callable[[Figure, Source], None]") -> PaperFigure:
        return PaperFigure(draw=draw, **fields)  # type: ignore[arg-type]

    return of


def with_runs(source: Source, arms: Sequence[Arm]) -> list[tuple[Arm, ArmEvidence]]:
    """The arms of which there is something to draw, in their order."""
    found = [(arm, source.arm(arm)) for arm in arms]
    return [(arm, evidence) for arm, evidence in found if evidence is not None]
