"""Reserves the port that all workers share, so that no other server can take it while workers come and go.

Workers listen with SO_REUSEPORT, which any other server of the same user could also use to receive some of the calls.
"""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from service.errors import PortTaken
from service.settings import at_port

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 # compared with, not bound to


@contextmanager
def reserved_port(host: str, port: int) -> Iterator[int]:
    """The port, a free one for 0, bound on all addresses of the host without listening; raises PortTaken."""
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
    """The addresses on which gRPC listens for a host; for every network, IPv6 and IPv4 at once where there is IPv6."""
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
    """Bind exclusively, then let workers bind to the same port; returns the port."""
    if reserved.family == socket.AF_INET6:
        reserved.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address not in EVERYWHERE)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)  # an earlier server's connections may linger
    reserved.bind((address, port))
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, False)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, True)
    return int(reserved.getsockname()[1])
