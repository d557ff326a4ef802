"""Folders of data that are a user's own."""

import os
from pathlib import Path

from grok.inputs import InputError


def data_folder(directory: str, default: str, otherwise: str) -> Path:
    """A folder that was named, or the default one in ``$GROK_DATA``.

    Args:
        directory: What was named; may be empty.
        default: Name of the folder in ``$GROK_DATA``.
        otherwise: What to say where there is neither.

    Raises:
        InputError: If there is neither.
    """
    if directory:
        return Path(directory).expanduser()
    if root := os.environ.get("GROK_DATA"):
        return Path(root).expanduser() / default
    raise InputError(otherwise)
