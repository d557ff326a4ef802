"""The directory that holds all runs."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import yaml

from grok.config import InputError, RunConfig, run_key, to_dict
from grok.runs.files import TEMPORARY, is_temporary, temporary_name, write_atomic
from grok.runs.lock import RunLock
from grok.runs.run import Run

_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


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
        what is stored, which stays as it is: see :meth:`update_config`.

        Raises:
            ValueError: If what is stored under the key is another run, or no config.
        """
        run = Run(self.root.resolve() / run_key(config))
        run.readings_dir.mkdir(parents=True, exist_ok=True)
        # Last, so that a directory with a config is a whole run.
        if (run.dir / "config.yaml").exists():
            _check(run)
        else:
            _write(run, config)
        return Run(run.dir)

    def update_config(self, run: Run, config: RunConfig) -> Run:
        """Store the config with which a run goes on, where it differs from what is stored.

        For the process that holds the run's lock: another may be training with what is stored.

        Args:
            run: The run, as :meth:`create` gave it.
            config: Its config; what belongs to the key is that of the run.

        Returns:
            The run, which has the new config; ``run`` may have kept the old one.

        Raises:
            ValueError: If the config or what is stored is of another run, or no config.
        """
        run = Run(run.dir)
        if (key := run_key(config)) != run.key:
            raise ValueError(f"the config is not of {run.key} but of {key}")
        _check(run)
        if run.config != config:
            _write(run, config)
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
            InputError: If there is none, or several; one line that lists candidates.
        """
        runs = self.runs()
        matches = [run for run in runs if run.key == name]
        matches = matches or [run for run in runs if name and run.key.startswith(name)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise InputError(f"{name!r} is the start of {_listed(matches)}")
        there = f"there are {_listed(runs)}" if runs else "it holds no run"
        raise InputError(f"no run {name!r} in {self.root}: {there}")

    def remove(self, key: str) -> None:
        """Delete a run with all its files. It vanishes at once, even if the deletion is cut.

        Args:
            key: The whole key; a prefix does not do here.

        Raises:
            InputError: If there is no such run.
            RunLocked: If a live process works on it.
        """
        run = self.find(key)
        if run.key != key:
            raise InputError(f"no run {key!r} in {self.root}; did you mean {run.key}?")
        with RunLock(run.dir):
            run.dir.rename(run.dir.with_name(temporary_name(key)))
        for path in run.dir.parent.glob(TEMPORARY):
            shutil.rmtree(path, ignore_errors=True)


def _check(run: Run) -> None:
    if (stored := run_key(run.config)) != run.key:
        raise ValueError(f"{run.dir / 'config.yaml'} is not of this run but of {stored}")


def _write(run: Run, config: RunConfig) -> None:
    text = yaml.dump(to_dict(config), Dumper=_Dumper, sort_keys=False)
    write_atomic(run.dir / "config.yaml", text.encode())


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
