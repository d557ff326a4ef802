"""The page of one run."""

from typing import Any

import numpy as np
import yaml

from grok.config import to_dict
from grok.report.page.curves import Marks, Readings, curve_sections, definitions
from grok.report.page.document import Page, Section, escape, table, tiles, warning
from grok.report.page.network import network_plots
from grok.report.page.plot import band, upright
from grok.report.terminal import stored_row
from grok.runs import Run
from grok.runs.summary import onsets_of, phase_ends_of

PHASES = ("memorization", "circuit formation", "cleanup")
"""Of Nanda et al. 2023, section 5.3, in their order; each ends where the next begins."""


def run_page(run: Run, *, with_network: bool = True) -> Page:
    """What a run has read, as a page. What is damaged is said on the page.

    Args:
        run: A stored run, done or not.
        with_network: Whether to read its last checkpoint too.

    Raises:
        ValueError: If its config cannot be read; one line that names the file.
    """
    faults: list[str] = []
    config = run.config
    damaged = {"status": "damaged", "step": 0}
    status = _tried(lambda: run.status() | stored_row(run), damaged, faults)
    readings: Readings = _tried(run.all_series, {}, faults)
    found = onsets_of(readings) if readings else {}
    ends = phase_ends_of(readings, config.data.p)
    curves, rows = curve_sections(readings, _marks(found, ends, readings))
    embedding, attention = ([], [])
    if with_network:
        keys = _key_frequencies(readings)
        embedding, attention = _tried(lambda: network_plots(run, keys), ([], []), faults)
    if not readings:
        faults.append("nothing has been read yet")
    network = [
        Section("embedding", "Embedding", embedding),
        Section("patterns", "Attention patterns", attention),
    ]
    sections = [*curves[:1], *network, *curves[1:], _settings(config, run, status)]
    head = _head(run, status, found, readings, faults)
    return Page(run.key, "run", head, [*sections, definitions(rows)])


def _tried(read: Any, otherwise: Any, faults: list[str]) -> Any:
    """What a function gives; if a file is damaged the fault is noted."""
    try:
        return read()
    except (ValueError, OSError) as error:
        faults.append(" ".join(str(error).split()))
        return otherwise


_STATUS = {
    "killed (resumable)": "its process is gone; what it read until then is shown",
    "interrupted": "stopped by a signal before its end; the same command goes on",
    "diverged": "its loss or a parameter is no longer a number; it was frozen there",
    "failed": "it ended with an error",
}


def _head(
    run: Run, status: dict[str, Any], found: dict[str, Any], readings: Readings, faults: list[str]
) -> str:
    how, step = status["status"], status["step"]
    line = f'<p><span class="status">{escape(how)}</span> step {step:,} of {run.config.n_steps:,}'
    line += f" · {escape(_task(run))}</p>"
    shown = {
        "train accuracy 0.99 at step": _step(found.get("train_acc_99")),
        "test accuracy 0.99 at step": _step(found.get("test_acc_99")),
        "delay, steps": _step(found.get("delay")),
    }
    shown |= {name: _last(readings, key) for name, key in _LAST.items()}
    notes = [f"{how}: {_STATUS[how]}"] if how in _STATUS else []
    return line + tiles(shown) + "".join(map(warning, [*notes, *faults]))


_LAST = {
    "train loss": "loss/train",
    "test loss": "loss/test",
    "train accuracy": "acc/train",
    "test accuracy": "acc/test",
    "parameter norm": "norm/theta/all",
}


def _step(step: int | None) -> str:
    return "not reached" if step is None else f"{step:,}"


def _last(readings: Readings, key: str) -> str:
    return f"{readings[key][1][-1]:.4g}" if key in readings else "–"


def _task(run: Run) -> str:
    config = run.config
    if config.problem != "pairs":
        return config.problem
    data = config.data
    group = f" mod {data.p}" if data.operation != "compose" else ""
    norm = config.model.norm.name
    return f"{data.operation}{group}, {data.train_fraction:.3g} of the pairs, norm {norm}"


def _marks(found: dict[str, Any], ends: Any, readings: Readings) -> Marks:
    """Onsets as upright lines, phases as bands."""
    events = {"train_acc_99": "train 0.99", "test_acc_99": "test 0.99"}
    lines = [
        upright(found[name], words, place)
        for place, (name, words) in enumerate(events.items())
        if found.get(name)
    ]
    bands = []
    if ends is not None and readings:
        last = max(int(steps[-1]) for steps, _ in readings.values())
        times = [1, ends.t_mem, ends.t_form, ends.t_clean]
        for at, name in enumerate(PHASES):
            first, end = times[at], times[at + 1] or last
            if first and end > first:
                bands.append(band(first, end, name, at))
            if times[at + 1] is None:
                break
    shapes, notes = zip(*[*bands, *lines], strict=True) if bands or lines else ((), ())
    return Marks(shapes, notes)


def _key_frequencies(readings: Readings) -> list[int]:
    """Those of the last reading; without one the largest of the embedding's spectrum."""
    marked = [key for key in readings if key.startswith("progress/key/")]
    found = [int(k.rpartition("/")[2]) for k in marked if readings[k][1][-1] == 1]
    if found:
        return sorted(found)
    power = {k: v[-1] for k, (_, v) in readings.items() if k.startswith("fourier/power/")}
    if not power:
        return []
    values = np.array(list(power.values()))
    names = [int(key.rpartition("/")[2]) for key in power]
    return [names[i] for i in np.argsort(-values)[:3] if np.isfinite(values[i])]


def _settings(config: Any, run: Run, status: dict[str, Any]) -> Section:
    """What was run, on what, and where it lies."""
    text = yaml.safe_dump(to_dict(config), sort_keys=False)
    environment = status.get("environment", {})
    environment = environment if isinstance(environment, dict) else {}
    where = {"run": run.key, "directory": str(run.dir), **environment}
    if status.get("steps_per_second"):
        where["steps per second"] = f"{status['steps_per_second']:.3g}"
    words = table(("", ""), where.items())
    words += f"<h3>config.yaml</h3><pre>{escape(text)}</pre>"
    return Section("config", "Config, environment, provenance", words=words, is_closed=True)
