"""The options of ``grok sweep run`` that only Slurm understands."""

import argparse
from collections.abc import Sequence
from typing import Any

from grok.inputs import InputError

_NAMES = ("partition", "time", "cpus", "mem", "account", "gres")


def add_slurm_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--wait`` and ``--slurm.*``."""
    parser.add_argument("--wait", action="store_true")
    for name in _NAMES:
        kind = int if name in ("time", "cpus") else str
        parser.add_argument(f"--slurm.{name}", type=kind)
    parser.add_argument("--slurm.extra", action="append", default=[], metavar="KEY=VALUE")


def check_engine(options: argparse.Namespace, flags: Sequence[str]) -> None:
    """Refuse what only Slurm understands under another engine, and an unusable value.

    Raises:
        InputError: In one line that names the option.
    """
    for flag in flags:
        if flag.startswith("--slurm."):
            allowed = ", ".join(f"slurm.{name}" for name in (*_NAMES, "extra"))
            raise InputError(f"no option {flag.partition('=')[0]}; allowed: {allowed}")
    given = slurm_values(options)
    if options.engine != "slurm":
        names = [f"--slurm.{name}" for name in given] + ["--wait"] * options.wait
        if names:
            raise InputError(f"{names[0]} needs --engine slurm")
    elif options.dry_run and options.wait:
        raise InputError("--dry-run submits nothing that --wait could wait for")


def slurm_values(options: argparse.Namespace) -> dict[str, Any]:
    """The ``--slurm.*`` that were given, by name; ``extra`` as pairs."""
    values = {name: getattr(options, f"slurm.{name}") for name in _NAMES}
    extra = getattr(options, "slurm.extra")
    values["extra"] = tuple((key, value) for key, _, value in (e.partition("=") for e in extra))
    return {name: value for name, value in values.items() if value not in (None, ())}
