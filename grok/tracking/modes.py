"""Which tracker a config and the environment ask for."""

import os
from collections.abc import Mapping
from typing import Any, Literal

from grok.config import TrackingConfig
from grok.inputs import InputError
from grok.tracking.base import NoTracker, StoredRun, Tracker
from grok.tracking.wandb_run import WandbTracker, sweep_method

Mode = Literal["offline", "online", "disabled"]
"""``offline`` writes W&B's files into the run's directory; ``wandb sync`` sends them later."""


def resolve_mode(
    requested: str | None, environ: Mapping[str, str], sweep_method: str | None = None
) -> Mode:
    """Where the copy goes.

    Args:
        requested: ``offline``, ``online``, ``disabled``, or ``auto``; None is ``auto``: online
            under a W&B agent, else offline. ``auto`` also obeys a ``WANDB_MODE`` that keeps
            the data here (``offline``, ``disabled``), never one that sends them away.
        environ: The environment; a W&B agent sets ``WANDB_SWEEP_ID``.
        sweep_method: Search method of the agent's sweep, where it is known.

    Raises:
        InputError: If the mode is unknown, or if a bayes sweep would never see its metric.
    """
    is_agent = bool(environ.get("WANDB_SWEEP_ID"))
    mode = requested or "auto"
    if mode == "auto":
        mode = environ.get("WANDB_MODE", "")
        if mode not in ("offline", "disabled"):
            mode = "online" if is_agent else "offline"
    if mode not in ("offline", "online", "disabled"):
        raise InputError(f"tracking.mode={mode!r} is not auto, offline, online or disabled")
    if mode != "online" and is_agent and sweep_method == "bayes":
        raise InputError(f"tracking.mode={mode}: a bayes sweep would never see its metric")
    return mode


def make_tracker(run: StoredRun, tracking: TrackingConfig) -> Tracker:
    """The tracker that a config asks for.

    Args:
        run: The run.
        tracking: How it is tracked.

    Raises:
        InputError: As :func:`resolve_mode` and :class:`WandbTracker` do.
    """
    mode = resolve_mode(tracking.mode, os.environ)
    return NoTracker() if mode == "disabled" else WandbTracker(run, tracking, mode)


def agent_tracker(
    run: StoredRun, tracking: TrackingConfig, config: Mapping[str, Any] | None = None
) -> tuple[Tracker, int]:
    """The tracker of the W&B run that an agent has made, and the last step that it has; -1 if none.

    Args:
        run: What is trained.
        tracking: How it is tracked.
        config: What is shown as the config, by dotted name; default all of the run's.

    Raises:
        InputError: As for :func:`make_tracker`; also if a bayes sweep would never see its metric.
    """
    mode = resolve_mode(tracking.mode, os.environ)
    if mode != "online":
        resolve_mode(tracking.mode, os.environ, sweep_method())
    if mode == "disabled":
        return NoTracker(), -1
    tracker = WandbTracker(run, tracking, mode, config)
    return tracker, tracker.step_before


def is_under_agent() -> bool:
    """Whether a W&B agent has started this process."""
    return bool(os.environ.get("WANDB_SWEEP_ID"))
