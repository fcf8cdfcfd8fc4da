"""Reserves the port that all workers share, so that no other server can take it while workers are replaced.

Workers listen with SO_REUSEPORT. Without the reservation, another server of the same user could bind to the port in the
same way and receive some of the calls.
"""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from service.errors import PortTaken
from service.settings import at_port

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 # bound only if the user asks for it


@contextmanager
def reserved_port(host: str, port: int) -> Iterator[int]:
    """Reserve a port on all addresses of the host during a `with` block, and yield its number.

    Port 0 picks a free port. Raises PortTaken if the port can't be reserved.
    """
    with ExitStack() as sockets:
        try:
            for family, address in _addresses(host):
                port = _reserve(sockets.enter_context(socket.socket(family)), address, port)
        except OSError as error:
            where = at_port(host, port)
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(f"can't serve on {where}: is the port taken? Choose another --port") from error
            raise PortTaken(f"can't serve on {where}: {error.strerror}. Choose another --host or --port") from error
        yield port


def _addresses(host: str) -> list[tuple[socket.AddressFamily, str]]:
    """Return the addresses that gRPC listens on for a host.

    For a wildcard host, this is "::", which covers IPv6 and IPv4, or "0.0.0.0" if IPv6 is not available.
    """
    if host not in EVERYWHERE:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in infos))
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::", 0))
    except OSError:
        return [(socket.AF_INET, EVERYWHERE[0])]
    return [(socket.AF_INET6, EVERYWHERE[1])]


def _reserve(reserved: socket.socket, address: str, port: int) -> int:
    """Bind to the port exclusively, then allow workers to bind to it too. Returns the port."""
    if reserved.family == socket.AF_INET6:
        reserved.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address not in EVERYWHERE)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)  # connections of a previous server may linger
    reserved.bind((address, port))
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, False)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, True)
    return int(reserved.getsockname()[1])
