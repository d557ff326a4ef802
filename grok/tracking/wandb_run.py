"""A run's copy on Weights & Biases. The one file that imports ``wandb``, and lazily."""

import json
import logging
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from grok.config import TrackingConfig, flatten, to_dict
from grok.tracking.agreement import ConfigMismatch, check_config
from grok.tracking.base import Pixels, StoredRun
from grok.tracking.media import put_images, put_table

INIT_TIMEOUT = 30.0
"""Seconds W&B's server has to answer at the start."""
FINISH_TIMEOUT = 60.0
"""Seconds the last upload may take; W&B's own default waits without end."""

_log = logging.getLogger("grok")


class WandbTracker:
    """One W&B run, whose id and name are the run's key.

    Under ``wandb agent`` id and name are the agent's. A run that is resumed offline gets a
    second directory with the same id; ``wandb sync`` joins them. If the server cannot be
    reached or refuses at the start, the copy is kept offline, and ``-offline`` is added to
    the id.

    Each row carries its own ``step``, the x-axis of every chart; W&B's counter of rows is
    none, since it is renumbered at resume. Values that are not finite are logged as they are:
    W&B keeps NaN and infinities apart from missing values, and a diverging loss is a reading.

    Args:
        run: The run; its files lie under ``<run.dir>/wandb``.
        tracking: Project, entity, group and tags.
        mode: Where the copy goes.
        config: What is shown as the run's config, by dotted name; default all of it.

    Raises:
        ConfigMismatch: If W&B recorded another config than the run's. A sweep file does that
            with a number that YAML reads as a string, such as ``1e-3``.
    """

    def __init__(
        self,
        run: StoredRun,
        tracking: TrackingConfig,
        mode: Literal["offline", "online"],
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self._last_step: int | None = None
        self._works = True
        self._has_media = tracking.media
        config = flatten(to_dict(run.config)) if config is None else config
        try:
            self._run = _init(run, tracking, mode, config)
        except load_wandb(mode).Error as error:
            if mode == "offline":
                raise
            mode = "offline"
            reason = str(error).partition("\n")[0]
            _log.warning("W&B cannot be reached, so this run is tracked offline: %s", reason)
            # W&B keeps the id of a failed start in use until the process ends.
            self._run = _init(run, tracking, mode, config, run_id=f"{run.key}-offline")
        self._mode = mode
        self._agree_on_config(config)
        self._run.define_metric("*", step_metric="step")

    @property
    def url(self) -> str | None:
        """Page of the run; None if it is offline."""
        return self._run.url if self._mode == "online" else None

    @property
    def where(self) -> str | None:
        """The page, or the directory of the offline files."""
        return self.url or str(self._file.parent)

    @property
    def takes_media(self) -> bool:
        """Whether the config wants spectra and images in the copy."""
        return self._has_media and self._works

    @property
    def step_before(self) -> int:
        """Last step that the server has of an earlier part of this run; -1 if none."""
        step = self._run.summary.get("step") if self._run.resumed else None
        return step if isinstance(step, int) else -1

    def table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take a table, whose rows have the same columns. Never raises."""
        if not self._works or not rows:
            return
        try:
            put_table(load_wandb(self._mode), self._run, name, rows)
        except Exception as error:
            self._give_up("at the table", error)

    def images(self, step: int, images: Mapping[str, Pixels], caption: str) -> None:
        """Take images of one step; those of a step that is not past the last one's are dropped.

        Never raises.
        """
        if not self._works:
            return
        try:
            if put_images(load_wandb(self._mode), self._run, step, images, caption):
                self._last_step = step
        except Exception as error:
            self._give_up(f"at the images of step {step}", error)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take the readings of one step. Never raises; after a failure takes no more."""
        if not self._works:
            return
        try:
            self._run.log({**values, "step": step})
            self._last_step = step
        except Exception as error:
            self._give_up(f"at step {step}", error)

    def summary(self, values: Mapping[str, Any]) -> None:
        """Take values that belong to the run as a whole. Never raises."""
        if not self._works:
            return
        try:
            self._run.summary.update(dict(values))
        except Exception as error:
            self._give_up("at the summary", error)

    def finish(self, exit_code: int) -> None:
        """Close the W&B run and read its file back. Never raises.

        Returns after at most :data:`FINISH_TIMEOUT` and the reading, which takes a tenth of a
        second for 5,000 rows. W&B reports success on a full disk, so whether the last row is
        in the file is looked up there.

        Args:
            exit_code: Of the run; W&B shows anything but 0 as failed.
        """
        try:
            self._run.finish(exit_code=exit_code)
        except TimeoutError:
            _log.warning(
                "W&B's server did not take all of this run; `wandb sync %s` sends the rest later",
                self._file.parent,
            )
        except Exception as error:
            self._give_up("at the end", error)
        if self._last_step is not None:
            self._warn_if_cut_short(self._last_step)
            self._last_step = None

    @property
    def _file(self) -> Path:
        return Path(self._run.settings.sync_file)

    def _agree_on_config(self, ours: Mapping[str, Any]) -> None:
        """Compare what W&B recorded with what runs; close the W&B run on a difference."""
        if self._run.resumed:
            # W&B brought back the config of the earlier part; n_steps may have grown since.
            self._run.config.update(dict(ours), allow_val_change=True)
        try:
            check_config(ours, dict(self._run.config))
        except ConfigMismatch:
            self._run.finish(exit_code=2)
            raise

    def _give_up(self, when: str, error: Exception) -> None:
        self._works = False
        _log.warning("W&B failed %s and gets no more; the run store has it all: %s", when, error)

    def _warn_if_cut_short(self, last_step: int) -> None:
        # Twice, since a machine short of memory or time may not get the reader started.
        found = stored_summary(self._file) or stored_summary(self._file)
        if found is None:
            _log.debug("not verified that %s is whole", self._file)
        elif found.get("step") != last_step:
            _log.warning(
                "%s ends at step %s, not %d (is the disk full?); the run store has it all",
                self._file,
                found.get("step"),
                last_step,
            )


def stored_summary(path: Path, timeout: float = 30.0) -> Mapping[str, Any] | None:
    """Last values of all keys in a ``.wandb`` file, by W&B's own reader.

    Args:
        path: The file; one that was cut short counts up to the cut.
        timeout: Seconds.

    Returns:
        Key to value, not finite ones as text; None if the reader is missing, has changed, or
        does not answer in time.
    """
    # What `wandb leet inspect` starts; calling that costs another 0.6 s for Python's imports.
    flags = ["--summary", "--json", "--no-observability", "--run-file", str(path)]
    try:
        done = subprocess.run(
            [_core(), "leet", "inspect", *flags, str(path.parent)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=True,
        )
        summary = json.loads(done.stdout)["summary"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        _log.debug("W&B's reader gave nothing: %r", error)
        return None
    return summary if isinstance(summary, dict) else None


def sweep_method() -> str | None:
    """Search method of the sweep whose agent started this process; None if nobody tells."""
    names = (os.environ.get(f"WANDB_{part}") for part in ("ENTITY", "PROJECT", "SWEEP_ID"))
    try:
        found = load_wandb("online").Api(timeout=10).sweep("/".join(name for name in names if name))
        return found.config.get("method")
    except Exception as error:  # of many kinds: no key, no server, no such sweep
        _log.debug("the method of the sweep is not known: %s", error)
        return None


def _core() -> str:
    """W&B's program of this environment; one that is not there fails when it is started."""
    return str(Path(load_wandb("offline").__file__).with_name("bin") / "wandb-core")


def load_wandb(mode: str) -> Any:
    """The module, told beforehand to keep quiet, and offline to report nothing."""
    if mode == "offline":
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault("WANDB_SILENT", "true")
    import wandb

    return wandb


def _init(
    run: StoredRun,
    tracking: TrackingConfig,
    mode: str,
    config: Mapping[str, Any],
    run_id: str | None = None,
) -> Any:
    wandb = load_wandb(mode)
    # An agent has chosen both; W&B finds them in the environment.
    name = None if os.environ.get("WANDB_SWEEP_ID") else run.key
    return wandb.init(
        id=run_id or name,
        name=name,
        project=tracking.project,
        entity=tracking.entity or None,
        group=tracking.group or None,
        tags=list(tracking.tags),
        config=dict(config),
        dir=str(run.dir),
        mode=mode,
        resume="allow",
        reinit="create_new",  # several runs of a stack are open at once
        settings=quiet_settings(wandb),
    )


def quiet_settings(wandb: Any) -> Any:
    """Settings of every W&B run of ours: nothing on the terminal, no waiting without end."""
    return wandb.Settings(
        console="off",
        silent=True,
        quiet=True,
        x_disable_stats=True,
        init_timeout=INIT_TIMEOUT,
        finish_timeout=FINISH_TIMEOUT,
        finish_timeout_raises=True,
    )
