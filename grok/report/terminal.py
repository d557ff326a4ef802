"""Tables in the terminal. Imports no torch."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table

from grok.config import experiments
from grok.keys import FAMILY_MEANINGS, KEYS
from grok.runs import Run, RunStore, default_runs_dir, live_owner

_SHOWN_ONSETS = {
    "train_acc_99": "train accuracy 0.99",
    "test_acc_99": "test accuracy 0.99",
    "test_loss_0.1": "test loss 0.1",
    "delay": "delay, train to test",
}

_SHOWN_FINAL = {
    "loss/train": "train loss",
    "acc/train": "train accuracy",
    "loss/test": "test loss",
    "acc/test": "test accuracy",
    "norm/theta/all": "parameter norm",
    "attn/entropy/0": "attention entropy (nats)",
    "fourier/c": "Fourier concentration",
    "compress/effective_rank/test": "effective rank, test",
    "irrep/fve_in_keys": "logits explained by key irreps",
}

_PHASES = {
    "t_mem": "end of memorization",
    "t_form": "end of circuit formation",
    "t_clean": "end of cleanup",
}
_KEYS = {"progress": "key frequencies", "irrep": "key irreps"}


def print_summary(found: Mapping[str, Any]) -> None:
    """The end of ``grok train``: what happened and where it is.

    Args:
        found: What :func:`grok.runs.summary` gives.
    """
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("run", found["run"])
    table.add_row("status", f"{found['status']} at step {_progress(found)}")
    for name, meaning in _SHOWN_ONSETS.items():
        step = found["onset"].get(name)
        table.add_row(meaning, "not reached" if step is None else _onset(name, step))
    slingshots = found["slingshots"]
    if slingshots and slingshots["number"]:
        first, number = slingshots["starts"][0], slingshots["number"]
        table.add_row("slingshots of the test loss", f"{number:,}, the first at step {first:,}")
    for name, step in (found["phases"] or {}).items():
        table.add_row(_PHASES[name], "not reached" if step is None else f"step {step:,}")
    for key, meaning in _SHOWN_FINAL.items():
        if key in found["final"]:
            table.add_row(meaning, f"{found['final'][key]:.4g}")
    for family, keys in found["keys"].items():
        table.add_row(_KEYS[family], ", ".join(keys) or "none")
    if found["steps_per_second"]:
        table.add_row("speed", f"{found['steps_per_second']:.1f} steps/s, readings included")
    table.add_row("folder", _near(Path(found["dir"])))
    out = console()
    print_table(out, table, soft_wrap=True)
    if found["status"] == "interrupted":
        out.print("The same command goes on from there.")


def _progress(found: Mapping[str, Any]) -> str:
    """How far it came; what is stored may go on beyond what was asked for."""
    step, n_steps = found["step"], found["n_steps"]
    beside = f"of {n_steps:,}" if step <= n_steps else f"({n_steps:,} were asked for)"
    return f"{step:,} {beside}"


def _near(path: Path) -> str:
    """The path from the working directory, where it lies below that."""
    is_below = path.is_relative_to(Path.cwd())
    return str(path.relative_to(Path.cwd()) if is_below else path)


def _onset(name: str, step: int) -> str:
    return f"{step:,} steps" if name == "delay" else f"step {step:,}"


def console() -> Console:
    """Where tables go."""
    out = Console(highlight=False, markup=False)
    if not out.is_terminal:
        out.width = 200  # for files and pipes: rows that grep finds whole
    return out


def print_table(out: Console, table: RenderableType, *, soft_wrap: bool = False) -> None:
    """The table, without the blanks that fill its columns where no terminal needs them."""
    with out.capture() as capture:
        out.print(table, soft_wrap=soft_wrap)
    text = capture.get()
    if not out.is_terminal:
        text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    out.file.write(text)


def inventory(what: str, runs_dir: Path | None = None) -> list[dict[str, Any]]:
    """What there is of one kind, as rows of plain values.

    Args:
        what: ``experiments``, ``sweeps``, ``measures`` or ``runs``.
        runs_dir: Run store; default as everywhere.
    """
    if what == "measures":
        return [
            {"key": k.pattern, "family": k.family, "meaning": k.meaning, "source": k.source}
            for k in KEYS
        ]
    if what == "runs":
        return [stored_row(run) for run in RunStore(runs_dir or default_runs_dir()).runs()]
    kind = "configs" if what == "experiments" else "sweeps"
    return [{"name": e.name, "paper": e.paper, "what": e.title} for e in experiments(kind)]


def stored_row(run: Run) -> dict[str, Any]:
    """One stored run; a killed one still says that it is running, so its lock is asked."""
    status = run.status()
    state = status["status"]
    if state == "running" and live_owner(run.dir) is None:
        state = "killed (resumable)"
    onset = status.get("onset", {}).get("test_acc_99")
    return {"run": run.key, "status": state, "step": status["step"], "test_acc_99": onset}


def print_inventory(found: Mapping[str, list[dict[str, Any]]]) -> None:
    """Tables of :func:`inventory`, one per kind."""
    out = console()
    for what, rows in found.items():
        out.print(f"{what}: {len(rows) or 'none'}")
        if not rows:
            continue
        print_rows(out, rows)
        out.print()
    if "measures" in found:
        out.print("families, switched and scheduled in a config as measures.<family>:")
        for family, meaning in FAMILY_MEANINGS.items():
            out.print(f"  {family}: {meaning}")


def print_rows(out: Console, rows: list[dict[str, Any]]) -> None:
    """One or more rows of plain values as a table, with their names as its head."""
    print_table(out, rows_table(rows))


def rows_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The table of one or more rows of plain values."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in rows[0]:
        is_name = name in ("name", "key", "run")  # copied into commands, so never cut
        table.add_column(name, overflow="fold", no_wrap=is_name)
    for row in rows:
        table.add_row(*("" if v is None else str(v) for v in row.values()))
    return table


def keys_page() -> str:
    """The page of all log keys, ``docs/keys.md``."""
    lines = [
        "# Log keys",
        "",
        "Made by `grok list measures --markdown`. `<split>` is `train` or `test`; `<layer>` and",
        "`<head>` count from 0. All readings go to the run store; the alias is the name in the",
        "authors' logs. What belongs to a whole run (`summary`) is in `status.json`.",
        "",
        "Where keys of the family `dynamics` are read along a series of checkpoints (`grok measure",
        "--series`), δ is the difference between neighbouring checkpoints, not a single update:",
        "updates that are alike add up in it, and sums are over these differences.",
        "",
    ]
    rows = [
        (f"`{k.pattern}`", k.family, k.meaning, k.source, f"`{k.alias}`" if k.alias else "")
        for k in KEYS
    ]
    lines += markdown_table(("key", "family", "meaning", "source", "alias"), rows)
    return "\n".join(lines) + "\n"


def markdown_table(names: Sequence[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Lines of a table for a page."""
    lines = ["| " + " | ".join(names) + " |", "| " + " | ".join("---" for _ in names) + " |"]
    for row in rows:
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    return lines
