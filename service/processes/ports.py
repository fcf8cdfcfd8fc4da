"""Holds the port that all workers share, so that no other server can take it while workers come and go.

Workers listen with SO_REUSEPORT, which any other server of the same user could also use to take part of the calls.
"""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from service.errors import PortTaken
from service.settings import at_port

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 # to tell them, not to bind to them


@contextmanager
def held_port(host: str, port: int) -> Iterator[int]:
    """The port, a free one for 0, bound on all addresses of the host and not listened to; raises PortTaken."""
    with ExitStack() as sockets:
        try:
            for family, address in _addresses(host):
                port = _hold(sockets.enter_context(socket.socket(family)), address, port)
        except OSError as error:
            where = f"{at_port(host, port)}"
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(f"can't serve on {where}: is the port taken? Choose another --port") from error
            raise PortTaken(f"can't serve on {where}: {error.strerror}. Choose another --host or --port") from error
        yield port


def _addresses(host: str) -> list[tuple[socket.AddressFamily, str]]:
    """What gRPC listens to for a host; for every network that is IPv6 with IPv4 where the machine has IPv6."""
    if host not in EVERYWHERE:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
    except OSError:
        return [(socket.AF_INET, EVERYWHERE[0])]
    return [(socket.AF_INET6, EVERYWHERE[1])]


def _hold(held: socket.socket, address: str, port: int) -> int:
    """Bind as only a server alone may, and then let workers bind beside it; the port."""
    if held.family == socket.AF_INET6:
        held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address not in EVERYWHERE)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)  # connections of an earlier server may linger
    held.bind((address, port))
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, False)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, True)
    return int(held.getsockname()[1])
