"""A server at an address, and who can reach it."""

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socketserver import TCPServer

from grok.inputs import InputError


class AddressServer(ThreadingHTTPServer):
    """A server of HTTP, one thread per connection.

    Args:
        host: Address to listen on.
        port: Port; 0 takes a free one.
        handler: Class of the answers.

    Raises:
        InputError: If the port cannot be had; one line.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), handler)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise InputError(f"{host}, port {port}: {why}; try another --port") from None

    def server_bind(self) -> None:
        """Bind, without the look-up of a name that may take a minute where there is no network."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        host, port = str(self.server_address[0]), self.server_address[1]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; of names only localhost counts."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
