"""What runs say of themselves: config, last values, how far their files have come, their end."""

import json
from collections.abc import Mapping
from typing import Any

from grok.sweep.document import read_document
from grok.sweep.serve.ledger import Ledger, Row
from grok.sweep.serve.queue import Queue, Unknown

_COUNTS = {
    "wandb-history.jsonl": "n_history",
    "wandb-events.jsonl": "n_events",
    "output.log": "n_logs",
}


def upsert_run(queue: Queue, variables: Mapping[str, Any]) -> tuple[Row, bool]:
    """Take what a run says at its start, and whether it was unknown before.

    Args:
        queue: The runs.
        variables: Of W&B's ``UpsertBucket``: ``name``, the run's id, and any of ``entity``,
            ``project``, ``config``, ``displayName``, ``summaryMetrics``.

    Raises:
        Unknown: If no id is given.
    """
    id = variables.get("name") or variables.get("id")
    if not isinstance(id, str):
        raise Unknown("UpsertBucket names no run")
    ledger = queue.ledger
    with ledger.transaction():
        is_new = ledger.one("runs", id) is None
        if is_new:
            state = {"state": "running", "changed": queue.clock()}
            places = {key: variables.get(key) for key in ("entity", "project")}
            ledger.insert("runs", id=id, **state, **places)
        names = {"config": "config", "displayName": "name", "summaryMetrics": "summary"}
        given = {column: variables[key] for key, column in names.items() if variables.get(key)}
        if given:
            ledger.update("runs", id, **given)
        queue.hear(id)
        found = ledger.one("runs", id)
    assert found is not None
    return found, is_new


def take_stream(queue: Queue, id: str, body: Mapping[str, Any]) -> None:
    """Take what a run sends while it is trained.

    Kept are the number of lines of each file, the last row of the history, the last summary, the
    best value of the sweep's metric and the exit code; the rows themselves are in the run store.

    Args:
        queue: The runs.
        id: The run.
        body: ``{"files": {name: {"offset", "content": [lines]}}, "complete", "exitcode"}``.

    Raises:
        Unknown: If there is no such run.
    """
    with queue.ledger.transaction():
        run = queue.ledger.one("runs", id)
        if run is None:
            raise Unknown(f"there is no run {id}")
        queue.hear(id)
        changes: dict[str, Any] = {}
        for name, chunk in (body.get("files") or {}).items():
            lines = chunk.get("content") or []
            if name in _COUNTS:
                changes[_COUNTS[name]] = int(chunk.get("offset") or 0) + len(lines)
            if name == "wandb-history.jsonl" and lines:
                changes["tail"] = lines[-1]
                changes["best"] = _best(queue.ledger, run, lines)
            if name == "wandb-summary.json" and lines:
                changes["summary"] = lines[-1]
        if body.get("complete"):
            changes["exit_code"] = int(body.get("exitcode") or 0)
            if run["sweep"] is None:
                changes["state"] = "failed" if changes["exit_code"] else "finished"
        if changes:
            queue.ledger.update("runs", id, changed=queue.clock(), **changes)


def _best(ledger: Ledger, run: Row, lines: list[str]) -> float | None:
    """Best value of the metric of the run's sweep, the earlier ones included."""
    sweep = ledger.one("sweeps", run["sweep"])
    metric = read_document(sweep["config"]).metric if sweep else None
    if metric is None:
        return None
    values = [run["best"], *(json.loads(line).get(metric.name) for line in lines)]
    return metric.best(value for value in values if isinstance(value, int | float))


def bucket(run: Row, is_new: bool = False) -> dict[str, Any]:
    """A run as W&B's client wants it after ``UpsertBucket``."""
    project = {"id": run["project"], "name": run["project"], "entity": _entity(run["entity"])}
    found = {
        "id": run["id"],
        "name": run["id"],
        "displayName": run["name"] or run["id"],
        "description": None,
        "config": run["config"] or "{}",
        "sweepName": run["sweep"],
        "historyLineCount": run["n_history"],
        "project": project,
    }
    return {"upsertBucket": {"bucket": found, "inserted": is_new}}


def resume_status(run: Row | None, project: str | None, entity: str | None) -> dict[str, Any]:
    """Where a run can go on; a run that has not said anything yet is none."""
    found = None
    if run is not None and run["config"]:
        config = run["config"]
        found = {
            "id": run["id"],
            "name": run["id"],
            "displayName": run["name"] or run["id"],
            "summaryMetrics": run["summary"] or "{}",
            "config": config,
            "wandbConfig": config,
            "historyTail": json.dumps([run["tail"]] if run["tail"] else []),
            "eventsTail": "[]",
            "historyLineCount": run["n_history"],
            "eventsLineCount": run["n_events"],
            "logLineCount": run["n_logs"],
            "tags": [],
            "notes": None,
        }
    owner = _entity(entity)
    return {"model": {"id": project, "name": project, "entity": owner, "bucket": found}}


def _entity(name: str | None) -> dict[str, Any]:
    return {"id": name, "name": name}
