"""The operations of W&B's GraphQL protocol that a sweep needs, by name."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from grok.inputs import InputError
from grok.sweep.serve.queue import Queue, Unknown
from grok.sweep.serve.record import bucket, resume_status, upsert_run

ENTITY = "local"
"""To whom everything belongs where nobody is named."""
_PROJECT = "uncategorized"
_STATES = ("RUNNING", "PAUSED", "FINISHED", "CANCELED")

Variables = Mapping[str, Any]


def answer(queue: Queue, query: str, variables: Variables, base: str) -> dict[str, Any]:
    """The ``data`` of one request.

    Args:
        queue: The runs.
        query: The query's text; its operation's name says what is asked.
        variables: Its variables.
        base: URL of this server, under which files would be put.

    Raises:
        InputError: If the operation or a sweep's config is not understood.
        Unknown: If it names a sweep, agent or run that is not there.
    """
    match = re.search(r"\b(?:query|mutation)\s+(\w+)", query)
    name = match[1] if match else ""
    if name == "CreateRunFiles":
        return _create_files(variables, base)
    if name not in _OPERATIONS:
        raise InputError(f"this is grok sweep serve, not W&B: it does not know {name or query!r}")
    return _OPERATIONS[name](queue, variables)


def _viewer(queue: Queue, variables: Variables) -> dict[str, Any]:
    who = {"id": ENTITY, "entity": ENTITY, "username": "grok-sweep-serve-is-not-wandb"}
    return {"viewer": {**who, "email": "", "flags": "{}", "teams": {"edges": []}}}


def _upsert_sweep(queue: Queue, variables: Variables) -> dict[str, Any]:
    id, text = variables.get("id"), variables.get("config")
    warnings: list[str] = []
    with queue.ledger.transaction():
        if id is None:
            entity = variables.get("entityName") or ENTITY
            id = queue.add_sweep(text or "", entity, variables.get("projectName") or _PROJECT)
            warnings = _warnings(text or "")
        elif queue.ledger.one("sweeps", id) is None:
            raise Unknown(f"there is no sweep {id}")
        elif text is not None:
            raise InputError("a sweep is not changed here: make a new one of the changed file")
        if (state := variables.get("state")) is not None:
            if state not in _STATES:
                raise InputError(f"state={state}: allowed are {', '.join(_STATES)}")
            queue.set_state(id, state)
        sweep = queue.ledger.one("sweeps", id)
    assert sweep is not None
    owner = {"id": sweep["entity"], "name": sweep["entity"]}
    project = {"id": sweep["project"], "name": sweep["project"], "entity": owner}
    found = {"id": id, "name": id, "project": project}
    return {"upsertSweep": {"sweep": found, "configValidationWarnings": warnings}}


def _warnings(text: str) -> list[str]:
    """What a file asks for and does not get here."""
    if "early_terminate" not in yaml.safe_load(text):
        return []
    return ["early_terminate: grok sweep serve ends no run early; every run is trained to its end"]


def _sweep(queue: Queue, variables: Variables) -> dict[str, Any]:
    sweep = queue.ledger.one("sweeps", variables.get("sweep"))
    if sweep is None:
        return {"project": {"sweep": None}}
    absent = (
        "description createdAt heartbeatAt updatedAt earlyStopJobRunning bestLoss controller "
        "scheduler displayName runCount runCountExpected"
    )
    config = sweep["config"]
    found: dict[str, Any] = {"id": sweep["id"], "name": sweep["id"], "state": sweep["state"]}
    found |= {"method": yaml.safe_load(config)["method"], "config": config, "runs": {"edges": []}}
    return {"project": {"sweep": found | dict.fromkeys(absent.split())}}


def _create_agent(queue: Queue, variables: Variables) -> dict[str, Any]:
    with queue.ledger.transaction():
        id = queue.add_agent(variables.get("sweep") or "", str(variables.get("host")))
    return {"createAgent": {"agent": {"id": id}}}


def _heartbeat(queue: Queue, variables: Variables) -> dict[str, Any]:
    state = json.loads(variables.get("runState") or "{}")
    id = str(variables.get("id"))
    commands = queue.heartbeat(id, [run for run, is_running in state.items() if is_running])
    return {"agentHeartbeat": {"agent": {"id": id}, "commands": json.dumps(commands)}}


def _upsert_bucket(queue: Queue, variables: Variables) -> dict[str, Any]:
    owner = {"entity": variables.get("entity") or ENTITY}
    place = owner | {"project": variables.get("project") or _PROJECT}
    return bucket(*upsert_run(queue, {**variables, **place}))


def _resume_status(queue: Queue, variables: Variables) -> dict[str, Any]:
    project = variables.get("project") or _PROJECT
    run = queue.ledger.one("runs", variables.get("name"))
    return resume_status(run, project, variables.get("entity") or ENTITY)


def _create_files(variables: Variables, base: str) -> dict[str, Any]:
    """Where a run's files go: to an address that takes them and keeps nothing."""
    id = variables.get("run")
    files = [{"name": name, "uploadUrl": f"{base}/dropped"} for name in variables["files"]]
    return {"createRunFiles": {"runID": id, "uploadHeaders": [], "files": files}}


_OPERATIONS: dict[str, Callable[[Queue, Variables], dict[str, Any]]] = {
    "Viewer": _viewer,
    "UpsertSweep": _upsert_sweep,
    "SweepWithRuns": _sweep,
    "GetSweepState": _sweep,
    "GetSweep": lambda queue, variables: _sweep(queue, {"sweep": variables.get("name")}),
    "CreateAgent": _create_agent,
    "Heartbeat": _heartbeat,
    "UpsertBucket": _upsert_bucket,
    "RunResumeStatus": _resume_status,
    "OrganizationCoreWeaveOrganizationID": lambda queue, variables: {"entity": None},
    "ServerFeaturesQuery": lambda queue, variables: {"serverInfo": {"features": []}},
    "RunStoppedStatus": lambda queue, variables: {"project": {"run": {"stopped": False}}},
}
