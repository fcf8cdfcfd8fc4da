"""Redis servers for the tests of member stores."""

import os
import shutil
import signal
import socket
import subprocess
import time

import pytest
import redis


class Redis:
    """A Redis server in a process of its own, with a password and optionally TLS alone."""

    password = "a-password-that-nobody-may-see"  # noqa: S105 # of stores of these tests

    def __init__(self, folder, *options, port=None):
        self.port, self.folder, self.options = port or self.free_port(), folder, options
        self.start()

    def start(self):
        port = ["--port", str(self.port)] if "--tls-port" not in self.options else ["--port", "0"]
        self.process = subprocess.Popen(
            ["redis-server", *port, "--bind", "127.0.0.1", "--requirepass", self.password, "--save", "", *self.options],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
        )
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("Redis doesn't start")

    @staticmethod
    def free_port():
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return free.getsockname()[1]

    @property
    def address(self):
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def client(self):
        return redis.Redis.from_url(self.address)

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="module")
def lasting_store(tmp_path_factory):
    if shutil.which("redis-server") is None:
        assert not os.environ.get("CI"), "redis-server is missing: on Debian, apt-get install redis-server"
        pytest.skip("redis-server is missing")
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def store(lasting_store):
    """The store that the tests share, empty."""
    with lasting_store.client as client:
        client.flushall()
    return lasting_store


@pytest.fixture
def failing_store(lasting_store, tmp_path):
    """A store that a test may stop."""
    store = Redis(tmp_path)
    yield store
    store.stop()


@pytest.fixture
def redis_server():
    """Starts a Redis server of a test's own, in a folder and with further options."""
    return Redis
