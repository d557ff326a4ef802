"""A table of many runs as one W&B run: the cells of a phase diagram."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grok.config import TrackingConfig
from grok.tracking.media import put_table
from grok.tracking.modes import resolve_mode
from grok.tracking.wandb_run import load_wandb, quiet_settings

_log = logging.getLogger("grok")


def log_table(
    name: str,
    folder: Path,
    tracking: TrackingConfig,
    rows: Sequence[Mapping[str, Any]],
    *,
    config: Mapping[str, Any],
    summary: Mapping[str, Any],
    image: Path | None = None,
) -> str | None:
    """Keep a table on W&B, as one run that has its name. Never raises.

    Its id follows from the name too, so that a table that is made again replaces the earlier one
    there. If the server cannot be reached, the files are kept for ``wandb sync``. What W&B cannot
    take is said in one line of the log ``grok``.

    Args:
        name: Name of the run, such as that of a sweep.
        folder: Its files lie under ``<folder>/wandb``.
        tracking: Mode, project, entity, group and tags.
        rows: The rows, each with the same columns; logged as ``cells``.
        config: Config of the run.
        summary: Values that belong to the table as a whole.
        image: A picture of it, logged as ``map``.

    Returns:
        Where the copy is, a page or a directory; None if there is no copy.
    """
    try:
        mode = resolve_mode(tracking.mode, os.environ)
        if mode == "disabled":
            return None
        run, mode = _init(name, folder, tracking, config, mode)
        try:
            _fill(run, mode, rows, summary, image)
        except BaseException:
            run.finish(exit_code=1)
            raise
        run.finish(exit_code=0)
        return run.url if mode == "online" else str(Path(run.settings.sync_file).parent)
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        _log.warning("W&B has not taken the table; its files have it all: %s", reason)
        return None


def _init(
    name: str, folder: Path, tracking: TrackingConfig, config: Mapping[str, Any], mode: str
) -> tuple[Any, str]:
    """The W&B run and its mode, which is offline where the server cannot be reached."""
    wandb = load_wandb(mode)
    run_id = "table-" + "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
    options: dict[str, Any] = {
        "name": name,
        "project": tracking.project,
        "entity": tracking.entity or None,
        "group": tracking.group or None,
        "tags": list(tracking.tags),
        "config": dict(config),
        "dir": str(folder),
        "resume": "allow",
        "reinit": "create_new",
        "settings": quiet_settings(wandb),
    }
    try:
        return wandb.init(id=run_id, mode=mode, **options), mode
    except wandb.Error as error:
        if mode == "offline":
            raise
        reason = str(error).partition("\n")[0]
        _log.warning("W&B cannot be reached, so the table is tracked offline: %s", reason)
        # W&B keeps the id of a failed start in use until the process ends.
        return wandb.init(id=f"{run_id}-offline", mode="offline", **options), "offline"


def _fill(
    run: Any,
    mode: str,
    rows: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
    image: Path | None,
) -> None:
    """Table, picture and summary."""
    wandb = load_wandb(mode)
    put_table(wandb, run, "cells", rows)
    if image is not None:
        run.log({"map": wandb.Image(str(image))})
    run.summary.update(dict(summary))
