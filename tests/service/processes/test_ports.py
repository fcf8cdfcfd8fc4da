"""The port and the number of workers: what the machine has and what others hold."""

import os
import socket
from contextlib import contextmanager

import pytest

from model.cores import usable_cores
from service.errors import PortTaken
from service.processes.ports import reserved_port


@contextmanager
def listening(port=0, address="127.0.0.1", shared=False):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
        other.bind((address, port))
        other.listen()
        yield other


def assert_nobody_else_gets(port):
    with pytest.raises(OSError, match="in use"), listening(port):
        pass


def test_workers_share_a_reserved_port_and_no_other_server_gets_it():
    with reserved_port("127.0.0.1", 0) as port:
        with listening(port, shared=True), listening(port, shared=True):
            pass
        assert_nobody_else_gets(port)
        with pytest.raises(PortTaken, match="is the port taken"), reserved_port("127.0.0.1", port):
            pass
    with listening(port):
        pass


@pytest.mark.parametrize("shared", [False, True])
def test_a_port_that_another_server_has_is_refused_even_if_it_would_share_it(shared):
    with listening(shared=shared) as other:
        port = other.getsockname()[1]
        for host in ("127.0.0.1", "0.0.0.0", "localhost"):  # noqa: S104
            message = rf"can't serve on {host}:{port}: is the port taken"
            with pytest.raises(PortTaken, match=message), reserved_port(host, port):
                pass


def test_a_port_is_free_again_although_connections_of_an_earlier_server_linger():
    with listening(shared=True) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()
    with reserved_port("127.0.0.1", port), listening(port, shared=True):
        pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
def test_every_network_is_reserved_whichever_way_it_is_named(host):
    with reserved_port(host, 0) as port:
        assert_nobody_else_gets(port)


def test_an_address_that_is_not_this_machines_is_told_as_such():
    message = r"can't serve on 192\.0\.2\.1:0: .*Choose another --host"
    with pytest.raises(PortTaken, match=message), reserved_port("192.0.2.1", 0):
        pass


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
    ],
)
def test_cores_are_those_of_the_scheduler_within_the_limit_of_the_container(tmp_path, files, most):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    cores = len(os.sched_getaffinity(0))
    assert usable_cores(tmp_path) == (cores if most is None else min(cores, most))
