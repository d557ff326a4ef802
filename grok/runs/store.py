"""The directory that holds all runs."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import yaml

from grok.config import RunConfig, run_key, to_dict
from grok.runs.files import TEMPORARY, is_temporary, temporary_name, write_atomic
from grok.runs.lock import RunLock, RunLocked
from grok.runs.owner import live_owner
from grok.runs.run import Run


class RunStore:
    """Runs by key under one directory.

    Args:
        root: The directory; made when the first run is.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def create(self, config: RunConfig) -> Run:
        """The run of a config, new or there already.

        What does not belong to the key (``n_steps``, measures, tracking, ...) may differ from
        what is stored; then ``config.yaml`` is rewritten.

        Raises:
            ValueError: If what is stored under the key is another run, or no config.
            RunLocked: If the stored config had to change while another process trains it.
        """
        run = Run(self.root.resolve() / run_key(config))
        run.readings_dir.mkdir(parents=True, exist_ok=True)
        path = run.dir / "config.yaml"
        if path.exists():
            self._check(run, config)
        # Last, so that a directory with a config is a whole run.
        if not path.exists() or run.config != config:
            write_atomic(path, yaml.safe_dump(to_dict(config), sort_keys=False).encode())
        return Run(run.dir)

    def runs(self) -> list[Run]:
        """All runs, by key. Whatever else lies in the directory is passed over."""
        with suppress(FileNotFoundError):
            found = (Run(path) for path in self.root.resolve().iterdir() if _is_run(path))
            return sorted(found, key=lambda run: run.key)
        return []

    def find(self, name: str) -> Run:
        """The run whose key is ``name``, or the only one whose key starts with it.

        Raises:
            ValueError: If there is none, or several; one line that lists candidates.
        """
        runs = self.runs()
        matches = [run for run in runs if run.key == name]
        matches = matches or [run for run in runs if name and run.key.startswith(name)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise ValueError(f"{name!r} is the start of {_listed(matches)}")
        there = f"there are {_listed(runs)}" if runs else "it holds no run"
        raise ValueError(f"no run {name!r} in {self.root}: {there}")

    def remove(self, key: str) -> None:
        """Delete a run with all its files. It vanishes at once, even if the deletion is cut.

        Args:
            key: The whole key; a prefix does not do here.

        Raises:
            ValueError: If there is no such run.
            RunLocked: If a live process works on it.
        """
        run = self.find(key)
        if run.key != key:
            raise ValueError(f"no run {key!r} in {self.root}; did you mean {run.key}?")
        with RunLock(run.dir):
            run.dir.rename(run.dir.with_name(temporary_name(key)))
        for path in run.dir.parent.glob(TEMPORARY):
            shutil.rmtree(path, ignore_errors=True)

    def _check(self, run: Run, config: RunConfig) -> None:
        if (stored := run_key(run.config)) != run.key:
            raise ValueError(f"{run.dir / 'config.yaml'} is not of this run but of {stored}")
        if run.config == config:
            return
        owner = live_owner(run.dir)
        if owner is not None and not owner.is_this_process:
            raise RunLocked(
                f"run {run.key} is being trained with another config (process {owner.pid} "
                f"on {owner.host} since {owner.since}); wait for its end"
            )


def _is_run(path: Path) -> bool:
    # A foreign directory may well have a config.yaml; both are there from a run's beginning.
    try:
        return (
            not is_temporary(path.name)
            and (path / "config.yaml").is_file()
            and (path / "readings").is_dir()
        )
    except OSError:
        return False


def _listed(runs: list[Run], at_most: int = 8) -> str:
    names = ", ".join(run.key for run in runs[:at_most])
    return names if len(runs) <= at_most else f"{names} and {len(runs) - at_most} more"


def default_runs_dir() -> Path:
    """``$GROK_RUNS``, else ``runs/`` in the working directory."""
    return Path(os.environ.get("GROK_RUNS") or "runs")
