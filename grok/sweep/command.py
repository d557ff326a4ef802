"""The ``command`` of a W&B sweep file: which experiment its runs start from."""

import re
from typing import Any

from grok.inputs import InputError

ARGS = "${args}"
COMMAND = '["${env}", grok, train, EXPERIMENT, "${args}"]'


def read_command(command: Any) -> tuple[str, tuple[str, ...]]:
    """The experiment that a sweep file's ``command`` names, and the words after it.

    Raises:
        InputError: If it does not start ``grok train`` with the parameters at ``${args}``.
    """
    if not isinstance(command, list) or "train" not in command:
        raise InputError(f"command={command}: write {COMMAND}, which names the experiment")
    experiment, *rest = [*command[command.index("train") + 1 :], ""]
    rest = tuple(str(word) for word in rest[:-1])
    if not re.match(r"[^$-]", str(experiment)):
        raise InputError(f"command names no experiment after train: write {COMMAND}")
    if rest.count(ARGS) != 1:
        raise InputError(f"command must have {ARGS} once, after the experiment: write {COMMAND}")
    return str(experiment), rest
