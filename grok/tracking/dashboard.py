"""The panels as a W&B workspace. The one file that imports ``wandb-workspaces``, and lazily.

What that package writes and reads as JSON is private there: the range of its versions is bounded
in ``pyproject.toml``, and the round trip is tested.
"""

import hashlib
import re
import warnings
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from grok.inputs import InputError
from grok.tracking.panel import FIELD, Panel, Section, key_regex
from grok.tracking.wandb_run import load_wandb

STEP = "step"
"""The x-axis of every chart: our own step, not W&B's counter of rows."""
MAX_RUNS = 100
"""Runs in a chart, where W&B would show ten."""
TIMEOUT = 15
"""Seconds that W&B's server has for its first answer."""


class PushFailed(Exception):
    """W&B's server was not reached or refused; one line says which, and why."""


class Pushed(NamedTuple):
    """A workspace that W&B has taken."""

    url: str
    is_new: bool
    """False if it took the place of one of the same name."""


def workspace(
    sections: Sequence[Section],
    name: str,
    *,
    project: str,
    entity: str = "",
    group: str = "",
    is_grouped: bool = False,
) -> Any:
    """A workspace with these sections, the first of them open. Asks no server.

    Args:
        sections: What it shows; panels whose readings are not on W&B are left out.
        name: Its name, under which a push finds the one that is there.
        project: W&B project.
        entity: W&B user or team; empty is the account's own when it is pushed.
        group: Show the runs of this W&B group only, such as ``inductive_bias/layernorm``; empty
            shows all.
        is_grouped: Whether the runs of each W&B group are drawn as their mean and range.

    Raises:
        InputError: If ``wandb-workspaces`` is not installed, or W&B takes no such name.
    """
    lib = _library()
    # The package reads this as an expression, in which it doubles every = that it finds.
    literal = repr(group).replace("=", r"\x3d")
    try:
        return lib.ws.Workspace(
            entity=entity,
            project=project,
            name=name,
            sections=[_section(lib, section, at == 0) for at, section in enumerate(sections)],
            settings=lib.ws.WorkspaceSettings(x_axis=STEP, max_runs=MAX_RUNS),
            runset_settings=lib.ws.RunsetSettings(
                filters=f"Metric('Group') == {literal}" if group else "",
                groupby=[lib.expr.Metric("Group")] if is_grouped else [],
            ),
        )
    except ValueError as error:
        raise InputError(f"W&B takes no workspace {name!r}: {_reason(error)}") from error


def to_json(made: Any) -> str:
    """A workspace as text; one list makes the same text each time."""
    return made._to_model().model_dump_json(by_alias=True, exclude_none=True, indent=1) + "\n"


def from_json(text: str) -> Any:
    """The workspace in a text of :func:`to_json`.

    Raises:
        InputError: If it is none, or ``wandb-workspaces`` is not installed.
    """
    lib = _library()
    try:
        return lib.ws.Workspace._from_model(lib.internal.View.model_validate_json(text))
    except Exception as error:  # whatever the package stumbles over in a file from outside
        raise InputError(f"no workspace of grok dashboard: {_reason(error)}") from error


def push(made: Any) -> Pushed:
    """Hand a workspace to W&B's server, in the place of the one of its name if there is one.

    What was changed in the browser in that one is lost, unless it was saved under another name.

    Raises:
        PushFailed: If there is no API key, or the server is not reached or refuses.
    """
    wandb = load_wandb("online")
    try:
        api = wandb.Api(timeout=TIMEOUT)
        made.entity = made.entity or api.default_entity or ""
        view = hashlib.sha256(made.name.encode()).hexdigest()[:11]
        made._internal_name = f"nw-{view}-v"
        made._internal_id = _stored(made.entity, made.project, view)
        is_new = not made._internal_id
        made.save()
        return Pushed(made.url, is_new)
    except Exception as error:  # of wandb, of the network, or over an answer it did not expect
        raise PushFailed(f"W&B has not taken the workspace: {_reason(error)}") from error


def _stored(entity: str, project: str, view: str) -> str:
    """Id of the view that a project has; empty where it has none, or there is no such project."""
    try:
        return _library().internal.get_view_dict(entity, project, view)["id"]
    except ValueError:
        return ""


def _library() -> Any:
    """The parts of ``wandb-workspaces``, wandb being told to keep quiet before."""
    load_wandb("online")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # what it asks pydantic for
            import wandb_workspaces.reports.v2 as wr
            import wandb_workspaces.workspaces as ws
            from wandb_workspaces import expr
            from wandb_workspaces.workspaces import internal
    except ImportError as error:
        line = "wandb-workspaces is not installed: pip install 'grokking-lab[dashboard]'"
        raise InputError(line) from error
    return SimpleNamespace(expr=expr, internal=internal, wr=wr, ws=ws)


def _section(lib: Any, section: Section, is_open: bool) -> Any:
    return lib.ws.Section(
        name=section.title,
        panels=[_panel(lib, panel) for panel in section.panels if panel.is_on_wandb],
        is_open=is_open,
        panel_settings=lib.ws.SectionPanelSettings(x_axis=STEP),
    )


def _panel(lib: Any, panel: Panel) -> Any:
    if panel.kind == "scalar":
        made = lib.wr.BarPlot(title=panel.title, metrics=list(panel.keys))
    else:
        has_patterns = any(re.search(FIELD, key) for key in panel.keys)
        made = lib.wr.LinePlot(
            title=panel.title,
            x=STEP,
            y=[] if has_patterns else list(panel.keys),
            metric_regex=metric_regex(panel.keys) if has_patterns else None,
            log_x=panel.log_x or None,
            log_y=panel.log_y or None,
        )
    # The package draws the ids by lot; these make one list the same text each time.
    made._id = hashlib.sha256("\n".join([panel.title, *panel.keys]).encode()).hexdigest()[:11]
    return made


def metric_regex(keys: Sequence[str]) -> str:
    """The expression by which W&B finds the keys of a panel that has patterns."""
    return f"^(?:{'|'.join(map(key_regex, keys))})$"


def _reason(error: Exception) -> str:
    """What an error says in one line; W&B calls a server that keeps silent a busy service."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return text.replace(
        "Failed to execute API request: the service process is busy and did not respond in time",
        "no answer in time",
    )
