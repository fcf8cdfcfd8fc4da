"""Serves `/metrics`, `/healthz` and `/readyz` over HTTP."""

import socket
import threading
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from service.errors import PortTaken
from service.processes.service_collector import ServiceCollector
from service.settings import at_port


def serve_metrics(collector: ServiceCollector, host: str, port: int) -> int:
    """Serve the metrics and the health of the service in a thread until the process exits, and return the port.

    Raises PortTaken if the port can't be opened.
    """
    registry = CollectorRegistry()
    try:
        registry.register(collector)
        family, address = _first_address(host, port)
        server = make_server(
            address, port, _application(collector, registry), _server_class(family), handler_class=QuietHandler
        )
    except OSError as error:
        where = at_port(host, port)
        raise PortTaken(f"can't serve metrics on {where}: is the port taken? Choose another --metrics-port") from error
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_port)


def _first_address(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return family, str(address[0])


def _server_class(family: socket.AddressFamily) -> type[ThreadingWSGIServer]:
    class Server(ThreadingWSGIServer):
        """A server with a thread for each request, on addresses of one family."""

        address_family = family

    return Server


class QuietHandler(WSGIRequestHandler):
    """Handles HTTP requests without a line of log for each."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the name is given by the base class
        """Log nothing."""


def _application(collector: ServiceCollector, registry: CollectorRegistry) -> WSGIApplication:
    """Return a WSGI application that answers the paths /metrics, /healthz and /readyz, and 404 for any other."""
    metrics = make_wsgi_app(registry)
    checks = {"/healthz": collector.healthy, "/readyz": collector.ready}

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return cast("Iterable[bytes]", metrics(environ, start_response))
        if path not in checks:
            return _answer(HTTPStatus.NOT_FOUND, start_response)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _answer(HTTPStatus.METHOD_NOT_ALLOWED, start_response, ("Allow", "GET, HEAD"))
        return _answer(HTTPStatus.OK if checks[path]() else HTTPStatus.SERVICE_UNAVAILABLE, start_response)

    return application


def _answer(status: HTTPStatus, start_response: StartResponse, *headers: tuple[str, str]) -> Iterable[bytes]:
    """Send a status with its phrase as the text of the response."""
    start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8"), *headers])
    return [f"{status.phrase}\n".encode()]
