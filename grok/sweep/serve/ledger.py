"""What a sweep server knows, in one SQLite file."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from grok.inputs import InputError

_TABLES = """
CREATE TABLE IF NOT EXISTS sweeps (
    id TEXT PRIMARY KEY, entity TEXT, project TEXT, config TEXT NOT NULL,
    state TEXT NOT NULL, seed INTEGER NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS agents (
    id TEXT PRIMARY KEY, sweep TEXT NOT NULL, host TEXT, is_gone INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, entity TEXT, project TEXT,
    sweep TEXT, number INTEGER, args TEXT,
    state TEXT NOT NULL, agent TEXT, sent REAL, exit_code INTEGER, n_given INTEGER DEFAULT 0,
    config TEXT, summary TEXT DEFAULT '{}', name TEXT, best REAL, tail TEXT,
    n_history INTEGER DEFAULT 0, n_events INTEGER DEFAULT 0, n_logs INTEGER DEFAULT 0,
    changed REAL NOT NULL, UNIQUE (sweep, number));
CREATE INDEX IF NOT EXISTS runs_of_agent ON runs (agent, state);
"""
_VERSION = 1

Row = dict[str, Any]


class Ledger:
    """Sweeps, agents and runs.

    Every change is on the disk when :meth:`transaction` ends: a server that is killed at any
    instant is as if it had been killed between two changes.

    Args:
        path: The file, made when it is missing; held by one server at a time.

    Raises:
        InputError: If it cannot be used, or another server has it.
    """

    def __init__(self, path: Path) -> None:
        self._lock = RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=0.5, isolation_level=None, check_same_thread=False
            )
            self._db.row_factory = sqlite3.Row
            self._open()
        except (OSError, sqlite3.Error) as error:
            why = "another server has it" if "locked" in str(error) else str(error)
            raise InputError(f"the state file {path} cannot be used: {why}") from None

    def _open(self) -> None:
        """Take the file for this process and see that the tables are there."""
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("BEGIN EXCLUSIVE")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"its version is {version}, ours is {_VERSION}")
        for statement in _TABLES.split(";"):
            self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version={_VERSION}")
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What happens inside happens as a whole or not at all, one thread at a time."""
        with self._lock:
            if self._db.in_transaction:  # the outer one ends it
                yield
                return
            self._db.execute("BEGIN")
            try:
                yield
                self._db.execute("COMMIT")  # fails on a full disk
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def rows(self, query: str, *values: Any) -> list[Row]:
        """Rows of a query."""
        with self._lock:
            return [dict(row) for row in self._db.execute(query, values)]

    def one(self, table: str, id: str | None) -> Row | None:
        """The sweep, agent or run of that id."""
        found = self.rows(f"SELECT * FROM {table} WHERE id = ?", id)
        return found[0] if found else None

    def insert(self, table: str, **values: Any) -> None:
        """Add a row."""
        names, places = ", ".join(values), ", ".join("?" * len(values))
        with self._lock:
            self._db.execute(
                f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(values.values())
            )

    def update(self, table: str, id: str, **values: Any) -> None:
        """Change a row."""
        changes = ", ".join(f"{name} = ?" for name in values)
        with self._lock:
            self._db.execute(f"UPDATE {table} SET {changes} WHERE id = ?", (*values.values(), id))

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of runs in each state, by sweep."""
        found: dict[str, dict[str, int]] = {}
        query = "SELECT sweep, state, COUNT(*) AS n FROM runs GROUP BY sweep, state"
        for row in self.rows(query):
            found.setdefault(row["sweep"], {})[row["state"]] = row["n"]
        return found


def values_of(run: Row) -> str:
    """What a run was given, on one line."""
    args = json.loads(run["args"] or "{}")
    return " ".join(f"{name}={each['value']}" for name, each in args.items())
