"""What commands share."""

import argparse
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from grok.inputs import InputError


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise the complaint instead of printing the usage.

        Raises:
            InputError: Always.
        """
        raise InputError(f"{message}; see {self.prog} --help")


GOES_ON = "The same command goes on from there."


def listed(text: str) -> tuple[str, ...]:
    """The parts of a list written with commas, empty ones left out."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_seeds(text: str) -> list[int]:
    """Seeds written with commas, each once.

    Raises:
        InputError: If one is no whole number.
    """
    seeds = listed(text)
    if wrong := [seed for seed in seeds if not seed.isascii() or not seed.isdigit()]:
        raise InputError(f"seeds={wrong[0]}: expected whole numbers, 0 or more, such as 456,789")
    return list(dict.fromkeys(map(int, seeds)))


def with_seeds(flags: Sequence[str], seeds: str | None) -> list[str]:
    """Flags of a sweep's runs, with the seeds of the option where it was given."""
    return [*flags, *([] if seeds is None else [f"--seeds={seeds}"])]


def check_workers(workers: int | None) -> None:
    """Refuse a number of processes that cannot train.

    Raises:
        InputError: If it is below 1.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers={workers} must be 1 or more")


def complain(busy: Sequence[str], failed: Mapping[str, str]) -> None:
    """One line for each run that was not trained, by key, with the reason of those that failed."""
    for key in busy:
        print(f"grok: run {key} is being trained by another process", file=sys.stderr)
    for key, reason in failed.items():
        print(f"grok: run {key} failed: {reason}", file=sys.stderr)


@contextmanager
def sigterm() -> Iterator[None]:
    """SIGTERM ends a server as Ctrl-C does."""

    def stop(signum: int, frame: Any) -> None:
        error = KeyboardInterrupt()
        error.signal = signum  # type: ignore[attr-defined]
        raise error

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
