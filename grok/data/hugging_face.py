"""What everything that reaches the Hugging Face hub shares. Imports its library when needed."""

from typing import Any

from grok.inputs import InputError

PREFIX = "hf:"
"""What stands before the name of a repository of the hub."""


def not_installed(library: str, instead: str = "") -> InputError:
    """The error for a library of the extra ``hub`` that is missing.

    Args:
        library: Its name.
        instead: What can be done without it.
    """
    return InputError(
        f"{library} is not installed: pip install 'grokking-lab[hub]'"
        + (f", {instead}" if instead else "")
    )


def hub_library(instead: str = "") -> Any:
    """The library that downloads, with what is wanted at once where there is no network.

    Args:
        instead: As for :func:`not_installed`.

    Raises:
        InputError: If it is not installed.
    """
    try:
        import huggingface_hub
        import huggingface_hub.errors
        import huggingface_hub.utils
    except ImportError:
        raise not_installed("huggingface_hub", instead) from None
    return huggingface_hub


def in_one_line(error: Exception) -> str:
    """The first line of an error of its libraries, which have dozens of classes and long texts."""
    text = next((line for line in str(error).splitlines() if line.strip()), "")
    return text.strip()[:200] or type(error).__name__
