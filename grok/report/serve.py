"""Sweeps and runs of a sweep server in the terminal."""

import json
from collections.abc import Sequence
from typing import Any, Self

import yaml
from rich.console import Group
from rich.live import Live
from rich.text import Text

from grok.report.terminal import console, print_rows, rows_table
from grok.sweep.serve import Ledger, values_of

N_RUNS = 15
STATES = ("running", "queued", "finished", "ended", "failed", "stopped")


def sweep_rows(ledger: Ledger) -> list[dict[str, Any]]:
    """One row per sweep: id, method, project, state and number of its runs in each state."""
    counts = ledger.counts()
    found = []
    for sweep in ledger.rows("SELECT * FROM sweeps ORDER BY created"):
        method = yaml.safe_load(sweep["config"])["method"]
        what = {"sweep": sweep["id"], "method": method, "project": sweep["project"]}
        n_runs = counts.get(sweep["id"], {})
        found.append(
            {**what, "state": sweep["state"].lower()} | {s: n_runs.get(s, 0) for s in STATES}
        )
    return found


def run_rows(ledger: Ledger, n_runs: int = N_RUNS) -> list[dict[str, Any]]:
    """The runs that changed last: id, sweep, state, agent's machine, last step and values."""
    query = (
        "SELECT runs.*, agents.host FROM runs LEFT JOIN agents ON agents.id = runs.agent "
        "ORDER BY runs.changed DESC LIMIT ?"
    )
    found = []
    for run in ledger.rows(query, n_runs):
        step = json.loads(run["summary"] or "{}").get("step")
        what = {"run": run["id"], "sweep": run["sweep"], "state": run["state"]}
        code = run["exit_code"] or None
        found.append(
            {**what, "exit code": code, "host": run["host"], "step": step, "values": values_of(run)}
        )
    return found


class Watch:
    """Tables that are drawn over on a terminal; elsewhere the lines alone, as they come.

    Args:
        ledger: What is shown.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._out = console()
        self._live = Live(console=self._out, auto_refresh=False)

    def __enter__(self) -> Self:
        """Begin to draw where there is a terminal."""
        if self._out.is_terminal:
            self._live.start()
        elif rows := sweep_rows(self.ledger):
            print_rows(self._out, rows)
            self._out.file.flush()
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the last tables."""
        if self._out.is_terminal:
            self._live.stop()

    def show(self, lines: Sequence[str]) -> None:
        """Show the tables, or the lines of what has happened since the last call."""
        if self._out.is_terminal:
            self._live.update(self._tables(), refresh=True)
            return
        for line in lines:
            self._out.file.write(f"{line}\n")
        if lines:
            self._out.file.flush()

    def _tables(self) -> Group:
        sweeps, runs = sweep_rows(self.ledger), run_rows(self.ledger)
        if not sweeps:
            return Group(Text("no sweeps yet: wandb sweep FILE"))
        n_more = sum(sum(row[state] for state in STATES) for row in sweeps) - len(runs)
        parts = [rows_table(sweeps), Text()]
        parts += [rows_table(runs)] if runs else []
        parts += [Text(f"and {n_more} runs before these")] if n_more > 0 else []
        return Group(*parts)
