"""Tables and images as W&B takes them. All of their files lie in the folder of the W&B run."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grok.tracking.base import Pixels


def put_table(wandb: Any, run: Any, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Log a table, whose rows have the same columns."""
    columns = list(rows[0]) if rows else []
    data = [[row[column] for column in columns] for row in rows]
    with _staged_in(_folder(run)):
        run.log({name: wandb.Table(columns=columns, data=data, allow_mixed_types=True)})


def put_images(wandb: Any, run: Any, step: int, images: Mapping[str, Pixels], caption: str) -> bool:
    """Log images of a step that is later than that of the W&B run's last ones; whether it was.

    A run that was killed goes on from its last checkpoint and passes steps again.
    """
    mark = _folder(run).with_name(f"last-image-step-{run.id}")
    if mark.exists() and step <= int(mark.read_text() or -1):  # empty after a kill in writing
        return False
    mark.parent.mkdir(exist_ok=True)  # an agent's run that is retrained has lost its folder
    mark.write_text(str(step))  # first: a kill in between costs an image, and none comes twice
    made = {name: wandb.Image(pixels, caption=caption) for name, pixels in images.items()}
    run.log({**made, "step": step})
    return True


def _folder(run: Any) -> Path:
    return Path(run.settings.sync_file).parent


@contextmanager
def _staged_in(folder: Path) -> Iterator[None]:
    """Let W&B put the files of artifacts, as which it keeps tables too, into a folder.

    Otherwise they are in the user's home, and offline they stay there for ever.
    """
    name = "WANDB_DATA_DIR"
    if name in os.environ:
        yield
        return
    os.environ[name] = str(folder)
    try:
        yield
    finally:
        del os.environ[name]
