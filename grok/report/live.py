"""A page that is served while runs go on."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from grok.inputs import InputError
from grok.report.page.document import Page, plotly_js, render, warning
from grok.runs import plain
from grok.sweep.serve import AddressServer, is_loopback

Stamp = tuple[tuple[str, int, int], ...]


class LivePage:
    """A page that is made anew when a file of its runs has changed.

    Args:
        title: While there is no page yet.
        build: Makes the page from the run store.
        folders: Folders of its runs now; they need not be there.
        every: Seconds between two looks at the files. After a page that took longer to make there
            is a pause as long, so that half of a core at most is busy with it.
    """

    def __init__(
        self,
        title: str,
        build: Callable[[], Page],
        folders: Callable[[], Iterable[Path]],
        every: float = 1.0,
    ) -> None:
        self.build, self.folders, self.every = build, folders, every
        self.page = Page(title, "run", warning("reading the run store"), [])
        self.version, self.content = "", b""
        self._put(self.page)
        self._stamp: Stamp | None = None
        self._is_over = threading.Event()

    def follow(self) -> None:
        """Look and build until :meth:`stop`."""
        while not self._is_over.is_set():
            start = time.monotonic()
            self.look()
            self._is_over.wait(max(self.every, time.monotonic() - start))

    def stop(self) -> None:
        """End :meth:`follow`."""
        self._is_over.set()

    def look(self) -> bool:
        """Make the page anew if a file has changed; whether it has."""
        try:
            stamp = stamp_of(self.folders())
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            page = self.build()
        except (InputError, ValueError, OSError) as error:
            words = " ".join(str(error).split())
            page = Page(self.page.title, self.page.kind, warning(words), [])
        self._put(page)
        return True

    def _put(self, page: Page) -> None:
        content = plain(page.content())
        text = json.dumps(content, allow_nan=False).encode()
        # Of the content, not a count: a page may have been open since before the server was.
        version = hashlib.sha256(text).hexdigest()[:16]
        self.content = json.dumps(content | {"version": version}, allow_nan=False).encode()
        self.page, self.version = page, version

    def shell(self) -> bytes:
        """The page as a browser first gets it."""
        return render(self.page, live=True).encode()


def stamp_of(folders: Iterable[Path]) -> Stamp:
    """What changes when something is read, finished or damaged: names, times and sizes of files."""
    found = []
    for folder in folders:
        parts = sorted((folder / "readings").glob("*.parquet"))
        for path in (folder / "config.yaml", folder / "status.json", *parts):
            try:
                about = path.stat()
            except OSError:
                continue
            found.append((str(path), about.st_mtime_ns, about.st_size))
    return tuple(found)


class PageServer(AddressServer):
    """Serves a live page to this machine.

    Args:
        live: The page.
        host: An address of the loopback interface.
        port: Port; 0 takes a free one.

    Raises:
        InputError: If other machines could reach the address, or the port cannot be had.
    """

    def __init__(self, live: LivePage, host: str, port: int) -> None:
        if not is_loopback(host):
            raise InputError(f"host={host}: a page is shown to this machine only; try 127.0.0.1")
        self.live = live
        super().__init__(host, port, PageHandler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves in the middle is no error of ours."""

    @cached_property
    def plotly(self) -> bytes:
        """Plotly's program."""
        return plotly_js().encode()


class PageHandler(BaseHTTPRequestHandler):
    """Answers GET of the page, of what is new, and of Plotly."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "grok-watch", ""
    server: PageServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        """Answer; 204 where a page has seen the newest, 403 for another's name of this host."""
        name = re.sub(r":\d+$", "", self.headers.get("Host") or "")  # port 80 is not named
        if not is_loopback(name.strip("[]")):  # a page of somebody else whose name leads here
            self._reply(403, b"only this machine may ask\n", "text/plain")
            return
        path, _, query = self.path.partition("?")
        live = self.server.live
        if path == "/":
            self._reply(200, live.shell(), "text/html; charset=utf-8")
        elif path == "/plotly.js":
            self._reply(200, self.server.plotly, "text/javascript", keep="max-age=86400")
        elif path == "/content.json" and query == f"seen={live.version}":
            self._reply(204, b"", "application/json")
        elif path == "/content.json":
            self._reply(200, live.content, "application/json")
        else:
            self._reply(404, b"not here\n", "text/plain")

    def log_message(self, format: str, *args: Any) -> None:
        """No line per request."""

    def _reply(self, status: int, body: bytes, kind: str, keep: str = "no-store") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", keep)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
