"""The HTTP side: addresses, who may ask, and what an answer looks like."""

import gzip
import hmac
import io
import json
import select
import socket
import sqlite3
import sys
from base64 import b64decode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from grok.inputs import InputError
from grok.sweep.serve.address import AddressServer, is_loopback
from grok.sweep.serve.graphql import answer
from grok.sweep.serve.queue import Queue, Unknown
from grok.sweep.serve.record import take_stream

MAX_BYTES = 64 * 2**20
"""Of one request, unpacked."""
NOTICE = """\
This is grok sweep serve, not W&B. It hands the runs of sweeps to W&B agents and shows no charts.
The runs are listed in the terminal where it was started; their readings are in the run store.
"""


class _Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class SweepServer(AddressServer):
    """Answers W&B's client; one thread per connection.

    Args:
        queue: The runs.
        host: Address to listen on.
        port: Port; 0 takes a free one.
        token: What clients must give as their API key; None takes any, on the loopback
            interface only.
        handler: Class of the answers.

    Raises:
        InputError: If there is no token where one is needed, or the port cannot be had.
    """

    def __init__(
        self,
        queue: Queue,
        host: str,
        port: int,
        token: str | None = None,
        handler: "type[Handler] | None" = None,
    ) -> None:
        if token is None and not is_loopback(host):
            raise InputError(f"host={host} is open to other machines, so a token is needed")
        self.queue, self.token = queue, token
        super().__init__(host, port, handler or Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is no error of ours."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            self.queue.say(f"a request failed: {type(error).__name__}: {error}")


def _commands(found: dict[str, Any] | None) -> list[dict[str, Any]]:
    """What an answer to an agent's heartbeat tells it to do."""
    heartbeat = ((found or {}).get("data") or {}).get("agentHeartbeat") or {}
    return json.loads(heartbeat.get("commands", "[]"))


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = 300.0  # seconds of an idle connection
    server_version, sys_version = "grok-sweep-serve", ""
    server: SweepServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        """The address that W&B's client prints: say what this is."""
        self._reply(200, NOTICE.encode(), "text/plain; charset=utf-8")

    def do_PUT(self) -> None:
        """Files of a run are not kept."""
        self._answered(None)

    def do_POST(self) -> None:
        """GraphQL, what a run sends, and telemetry, which is not kept."""
        if self.path.endswith("/graphql"):
            self._answered(self._graphql)
        elif self.path.endswith("/file_stream"):
            self._answered(self._stream)
        else:
            self._answered(None)

    def log_message(self, format: str, *args: Any) -> None:
        """No line per request."""

    def _answered(self, act: Callable[[Any], dict[str, Any] | None] | None) -> None:
        """Read the request, act on its JSON, and answer in JSON; an error is W&B's form of one."""
        try:
            body = self._body()
            found = None
            if act is not None:
                self._admit()
                found = act(json.loads(body))
            self._reply(200, json.dumps(found or {}).encode(), commands=_commands(found))
        except _Refused as error:
            self._fail(error.status, str(error))
        except Unknown as error:
            self._fail(404, str(error))
        except (InputError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._fail(400, " ".join(str(error).split()))
        except sqlite3.Error as error:
            self.server.queue.say(f"the state file: {error}")
            self._fail(500, str(error))

    def _graphql(self, body: dict[str, Any]) -> dict[str, Any]:
        host, port = self.server.server_address[:2]
        base = f"http://{self.headers.get('Host') or f'{host!s}:{port}'}"
        variables = body.get("variables") or {}
        return {"data": answer(self.server.queue, body["query"], variables, base)}

    def _stream(self, body: dict[str, Any]) -> None:
        take_stream(self.server.queue, self.path.split("/")[-2], body)

    def _admit(self) -> None:
        """Refuse pages of a browser, and whoever does not know the token.

        Raises:
            _Refused: 403 or 401.
        """
        if "Origin" in self.headers:
            raise _Refused(403, "pages in a browser have no business here")
        if self.server.token is None:
            return
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        try:
            key = b64decode(given, validate=True).partition(b":")[2]
        except ValueError:
            key = b""
        if not hmac.compare_digest(key, self.server.token.encode()):
            raise _Refused(401, "WANDB_API_KEY is not the token of this grok sweep serve")

    def _body(self) -> bytes:
        """The request's body, unpacked.

        Raises:
            _Refused: 411 without a length, 413 if it is too long.
        """
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self.close_connection = True
            raise _Refused(411, "a request has a Content-Length")
        if int(length) > MAX_BYTES:
            self.close_connection = True
            raise _Refused(413, f"a request has at most {MAX_BYTES} bytes")
        body = self.rfile.read(int(length))
        if self.headers.get("Content-Encoding") != "gzip":
            return body
        try:
            body = gzip.GzipFile(fileobj=io.BytesIO(body)).read(MAX_BYTES + 1)
        except (OSError, EOFError) as error:
            raise _Refused(400, f"the body is no gzip: {error}") from None
        if len(body) > MAX_BYTES:
            raise _Refused(413, f"a request has at most {MAX_BYTES} bytes")
        return body

    def _fail(self, status: int, message: str) -> None:
        errors = {"errors": [{"message": message}], "error": message}
        self._reply(status, json.dumps(errors).encode())

    def _reply(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        commands: list[dict[str, Any]] | None = None,
    ) -> None:
        """Send the answer; commands are noted as sent if the client was still there."""
        is_there = not self._has_left()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if commands and is_there:
            self.server.queue.sent(commands)

    def _has_left(self) -> bool:
        """Whether the client has closed the connection, having waited too long."""
        if not select.select([self.connection], [], [], 0)[0]:
            return False
        try:
            return self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True
