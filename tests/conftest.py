import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# No deadline: another program on the machine must not fail a test.
hypothesis.settings.register_profile("grok", deadline=None)
hypothesis.settings.load_profile("grok")


@pytest.fixture(autouse=True)
def arithmetic_as_it_was() -> Iterator[None]:
    """Training flushes denormal numbers in its process; the next test shall not notice."""
    yield
    if "torch" in sys.modules:
        import torch

        torch.set_flush_denormal(False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the experiment of a sweep lies, so that its cells are parsed once in a module."""
    return tmp_path_factory.mktemp("home")
