"""Which agent trains which run: hands out, takes back, never twice at once."""

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from grok.sweep.document import read_document
from grok.sweep.search import Past, check_bayes, from_args, proposal, to_args
from grok.sweep.serve.ledger import Ledger, Row, values_of

INTERRUPTED = (130, 140, 143)
"""Exit codes of a run that a signal stopped, whose training goes on when it is handed out again."""
POLL_SECONDS = 5.0
"""A W&B agent never asks again in less, so that one that does has not had the answer."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"

Command = dict[str, Any]


class Unknown(LookupError):
    """No such sweep, agent or run."""


def new_id() -> str:
    """Eight letters and digits, as W&B's ids of sweeps and runs."""
    return "".join(secrets.choice(_LETTERS) for _ in range(8))


class Queue:
    """The runs of every sweep and who trains them.

    A run is ``queued``, ``running`` at one agent, or over: ``finished`` and ``failed`` by its
    exit code, ``ended`` when its agent says that it has and no exit code came (a run that is not
    tracked online sends none), ``stopped`` with its sweep. It is queued again, under the same id,
    when nothing has been heard of its agent nor of itself for a while, and when a signal stopped
    it. Times of what was heard live in memory: a restart counts as having heard from all.

    Args:
        ledger: Where it is kept.
        silent_after: Seconds.
        seed: Of every sweep made from now on; None draws one for each.
        say: Called with one line for each change that a person wants to know.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        silent_after: float = 120.0,
        seed: int | None = None,
        say: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.ledger, self.silent_after, self.seed = ledger, silent_after, seed
        self.say, self.clock = say, clock
        self._started = clock()
        self._heard: dict[str, float] = {}

    def add_sweep(self, text: str, entity: str, project: str) -> str:
        """A new sweep's id.

        Raises:
            InputError: As :func:`~grok.sweep.document.read_document` and
                :func:`~grok.sweep.search.check_bayes` do.
        """
        document = read_document(text)
        check_bayes(document)
        id = new_id()
        seed = secrets.randbits(31) if self.seed is None else self.seed
        places = {"entity": entity, "project": project}
        self.ledger.insert(
            "sweeps", id=id, config=text, state="RUNNING", seed=seed, created=self.clock(), **places
        )
        self.say(f"sweep {id}: {document.method}, project {project}")
        return id

    def set_state(self, sweep: str, state: str) -> None:
        """RUNNING, PAUSED, FINISHED or CANCELED, as ``wandb sweep --stop`` and its like ask."""
        self.ledger.update("sweeps", sweep, state=state)
        self.say(f"sweep {sweep}: {state.lower()}")

    def add_agent(self, sweep: str, host: str) -> str:
        """A new agent's id.

        Raises:
            Unknown: If there is no such sweep.
        """
        if self.ledger.one("sweeps", sweep) is None:
            raise Unknown(f"there is no sweep {sweep}")
        id = new_id()
        self.ledger.insert("agents", id=id, sweep=sweep, host=host)
        self.hear(id)
        self.say(f"sweep {sweep}: agent {id} on {host}")
        return id

    def hear(self, id: str) -> None:
        """An agent or a run has given a sign of life."""
        self._heard[id] = self.clock()

    def heartbeat(self, agent_id: str, running: Iterable[str]) -> list[Command]:
        """What an agent is to do.

        Args:
            agent_id: The agent.
            running: Ids of the runs that it trains now.

        Raises:
            Unknown: If there is no such agent.
        """
        with self.ledger.transaction():
            agent = self.ledger.one("agents", agent_id)
            if agent is None:
                raise Unknown(f"there is no agent {agent_id}")
            self.hear(agent_id)
            self.take_back()
            running = set(running)
            again = self._settle(agent, running)
            sweep = self.ledger.one("sweeps", agent["sweep"])
            assert sweep is not None
            stops = self._stops(agent, sweep, running)
            if running or again:
                return stops or ([] if running else [self._give(again[0], agent, sweep)])
            return self._next(agent, sweep)

    def sent(self, commands: Iterable[Command]) -> None:
        """The answer has gone out to an agent that still listened."""
        with self.ledger.transaction():
            for command in commands:
                if command["type"] == "run":
                    self.ledger.update("runs", command["run_id"], sent=self.clock())

    def take_back(self) -> None:
        """Queue the runs of which nothing was heard for too long."""
        for run in self.ledger.rows("SELECT * FROM runs WHERE state = 'running'"):
            if run["agent"] is None:  # trained outside of a sweep
                continue
            heard = (self._heard.get(id, self._started) for id in (run["agent"], run["id"]))
            if self.clock() - max(heard) > self.silent_after:
                self._conclude(run, is_silent=True)

    def _settle(self, agent: Row, running: set[str]) -> list[Row]:
        """Conclude runs of this agent that it no longer trains; those that it never got."""
        query = "SELECT * FROM runs WHERE agent = ? AND state = 'running'"
        again = []
        for run in self.ledger.rows(query, agent["id"]):
            if run["id"] in running:
                continue
            if run["sent"] is None or self.clock() - run["sent"] < POLL_SECONDS - 1:
                again.append(run)
            else:
                self._conclude(run)
        return again

    def _conclude(self, run: Row, *, is_silent: bool = False) -> None:
        """The run has left its agent."""
        code = run["exit_code"]
        if code in INTERRUPTED or (code is None and is_silent):
            state = "queued"
        else:
            state = "ended" if code is None else "failed" if code else "finished"
        sweep = self.ledger.one("sweeps", run["sweep"])
        if state == "queued" and sweep is not None and sweep["state"] == "CANCELED":
            state = "stopped"
        self.ledger.update("runs", run["id"], state=state, changed=self.clock())
        why = f" (agent {run['agent']} fell silent)" if is_silent else ""
        exit_code = f", exit code {code}" if code else ""
        self.say(f"sweep {run['sweep']}: run {run['id']} {state}{why}{exit_code}")

    def _stops(self, agent: Row, sweep: Row, running: set[str]) -> list[Command]:
        """Stop what is not this agent's; what it had before and nobody has since is its again."""
        found = []
        for id in sorted(running):
            run = self.ledger.one("runs", id)
            if run is not None and run["state"] == "queued" and run["agent"] == agent["id"]:
                self.ledger.update("runs", id, state="running", changed=self.clock())
                run["state"] = "running"
                self.say(f"sweep {sweep['id']}: run {id} is still trained by its agent")
            is_its = run is not None and (run["agent"], run["state"]) == (agent["id"], "running")
            if not is_its or sweep["state"] == "CANCELED":
                found.append({"type": "stop", "run_id": id})
        return found

    def _next(self, agent: Row, sweep: Row) -> list[Command]:
        """A run for an idle agent, nothing while others may still leave one, or its end."""
        if sweep["state"] == "PAUSED":
            return []
        if sweep["state"] == "RUNNING" and not agent["is_gone"]:
            if (run := self._waiting(sweep)) is not None:
                return [self._give(run, agent, sweep)]
            if self._in_state(sweep, "running"):
                return []
            self.set_state(sweep["id"], "FINISHED")
        self.ledger.update("agents", agent["id"], is_gone=1)
        return [{"type": "exit"}]

    def _waiting(self, sweep: Row) -> Row | None:
        """A run that waits, or else a new one; None if there is none."""
        if queued := self._in_state(sweep, "queued"):
            return queued[0]
        query = "SELECT id, args, state, best FROM runs WHERE sweep = ? ORDER BY number"
        past = [_past(row) for row in self.ledger.rows(query, sweep["id"])]
        document = read_document(sweep["config"])
        values = proposal(document, past, sweep["seed"])
        if values is None:
            return None
        args = to_args(document, values)
        id = new_id()
        places = {name: sweep[name] for name in ("entity", "project")}
        made = {"sweep": sweep["id"], "number": len(past), "args": json.dumps(args)}
        self.ledger.insert("runs", id=id, state="queued", changed=self.clock(), **made, **places)
        return self.ledger.one("runs", id)

    def _in_state(self, sweep: Row, state: str) -> list[Row]:
        query = "SELECT * FROM runs WHERE sweep = ? AND state = ? ORDER BY number"
        return self.ledger.rows(query, sweep["id"], state)

    def _give(self, run: Row, agent: Row, sweep: Row) -> Command:
        """The command that starts a run at an agent, whose it is from now on."""
        if run["state"] != "running":
            where = f"agent {agent['id']} on {agent['host']}"
            self.say(f"sweep {sweep['id']}: run {run['id']} to {where}: {values_of(run)}")
        changes = {"agent": agent["id"], "exit_code": None, "sent": None}
        n_given = run["n_given"] + 1
        self.ledger.update(
            "runs", run["id"], state="running", n_given=n_given, changed=self.clock(), **changes
        )
        self.hear(run["id"])
        program = read_document(sweep["config"]).raw.get("program")
        args = json.loads(run["args"])
        return {"type": "run", "run_id": run["id"], "program": program, "args": args}


def _past(run: Mapping[str, Any]) -> Past:
    is_open = run["state"] in ("queued", "running")
    is_good = run["state"] == "finished" or (run["state"] == "ended" and run["best"] is not None)
    state = "running" if is_open else "finished" if is_good else "failed"
    return Past(run["id"], from_args(json.loads(run["args"])), state, run["best"])
