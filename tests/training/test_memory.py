"""What is freed is kept where the C library can, and nothing else is asked of it."""

import ctypes
import platform
import sys
from collections.abc import Callable

import pytest

from grok.training.memory import keep_freed_memory


class Library:
    """A C library whose mallopt takes some blocks at most."""

    def __init__(self, largest: int) -> None:
        self.largest, self.options = largest, {}

    def mallopt(self, option: int, value: int) -> int:
        if option == -3 and value > self.largest:
            return 0
        self.options[option] = value
        return 1


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    def load(found: object) -> None:
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(ctypes, "CDLL", lambda name: found)

    return load


def test_glibc_keeps_what_is_freed() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


def test_an_older_glibc_takes_the_largest_blocks_it_can(library: Callable[[object], None]) -> None:
    for largest, taken in ((2**31, 2**30), (2**25, 2**25)):
        library(found := Library(largest))
        assert keep_freed_memory()
        assert found.options == {-3: taken, -1: 2**31 - 1, -2: 2**26}
    library(Library(2**20))
    assert not keep_freed_memory()


def test_another_library_or_system_is_left_alone(
    library: Callable[[object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    library(object())
    assert not keep_freed_memory()
    library(found := Library(2**31))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
    assert found.options == {}
