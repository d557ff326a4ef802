"""Sweep files of tiny runs."""

from pathlib import Path
from typing import Any

import yaml

from tests.running import FLAGS

COMMAND = ["${env}", "grok", "train", "layernorm", *FLAGS, "${args}"]


def sweep_file(folder: Path, parameters: Any, **top: Any) -> str:
    """Path of a sweep file with these parameters; ``top`` replaces or removes (None) keys."""
    document = {"method": "grid", "command": COMMAND, "parameters": parameters} | top
    path = folder / "grid.yaml"
    text = yaml.safe_dump({k: v for k, v in document.items() if v is not None}, sort_keys=False)
    path.write_text(text)
    return str(path)


def written_file(folder: Path, parameters: str) -> str:
    """Path of a sweep file whose parameters are these lines of YAML, as a person writes them."""
    path = folder / "grid.yaml"
    lines = "".join(f"  {line}\n" for line in parameters.splitlines())
    path.write_text(f"method: grid\ncommand: {COMMAND}\nparameters:\n{lines}")
    return str(path)
