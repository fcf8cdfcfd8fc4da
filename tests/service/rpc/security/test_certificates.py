"""TLS: who may call, and certificates that change while the service runs."""

import ssl
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc

ROOT = Path(__file__).parents[4]
NAME = "coldstart.test"
REQUEST = pb.PredictEnjoymentRequest(movie_ids=["a"])


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@dataclass
class Authority:
    """Makes certificates, in a folder of its own."""

    folder: Path

    def __post_init__(self):
        self.folder.mkdir()
        self.cert, self._key = self.folder / "ca.crt", self.folder / "ca.key"
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl(
            "req",
            "-x509",
            *curve,
            "-keyout",
            self._key,
            "-out",
            self.cert,
            "-days",
            "2",
            "-subj",
            f"/CN={self.folder.name}",
        )

    def issue(self, name, days="2"):
        """The files of a new certificate and its key."""
        cert, key, request = (self.folder / f"{name}.{kind}" for kind in ("crt", "key", "csr"))
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl(
            "req", *curve, "-keyout", key, "-out", request, "-subj", f"/CN={name}",
            "-addext", f"subjectAltName=DNS:{NAME}",
        )  # fmt: skip
        openssl(
            "x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self._key, "-CAcreateserial",
            "-copy_extensions", "copy", "-days", days, "-out", cert,
        )  # fmt: skip
        return cert, key


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls") / "strangers")


def put(pair, folder):
    """Place a pair as a server's, one file after the other; the options that name it."""
    names = [folder / "server.crt", folder / "server.key"]
    for source, name in zip(pair, names, strict=True):
        new = name.with_suffix(".new")
        new.write_bytes(source.read_bytes())
        new.replace(name)
    return "--tls-cert", str(names[0]), "--tls-key", str(names[1])


def predict(server, authority, pair=None):
    """One call on a new connection; the number of predictions, or the code of the error."""
    shown = (pair[1].read_bytes(), pair[0].read_bytes()) if pair else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.cert.read_bytes(), *shown)
    options = [("grpc.ssl_target_name_override", NAME), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(server.address, credentials, options) as channel:
        try:
            return len(pb_grpc.EnjoymentServiceStub(channel).PredictEnjoyment(REQUEST, timeout=5).predictions)
        except grpc.RpcError as error:
            return error.code().name


def serial(server):
    """Which certificate the server shows to a new connection."""
    return ssl.get_server_certificate(("127.0.0.1", server.told["port"]))


def pem(path):
    return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(path.read_text()))


def probe(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "service.probe", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    return done.returncode, done.stdout.strip()


@pytest.fixture(scope="module")
def encrypted(world, start_lasting, authority, tmp_path_factory):
    """A server with a certificate that the tests share and change, and the folder of its files."""
    folder = tmp_path_factory.mktemp("encrypted")
    options = put(authority.issue("first"), folder)
    server = start_lasting(world.models, "--host", "0.0.0.0", "--reload-seconds", "0.1", *options)  # noqa: S104
    server.loaded_at_first = server.metric("coldstart_certificate_loads_total", result="loaded")
    return server, folder


@pytest.fixture(scope="module")
def open_to_all(world, start_lasting):
    """A server without a certificate on every network, and without reflection."""
    return start_lasting(world.models, "--host", "0.0.0.0", "--reflection", "off")  # noqa: S104


def show(server, pair, folder):
    """Place a pair as a server's and wait until it shows it."""
    put(pair, folder)
    end = time.monotonic() + 10
    while serial(server) != pem(pair[0]):
        assert time.monotonic() < end
        time.sleep(0.02)


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within time"
        time.sleep(0.05)


def test_with_a_certificate_only_clients_who_trust_its_authority_are_answered(encrypted, authority, stranger):
    server, _ = encrypted
    assert predict(server, authority) == 1
    assert predict(server, stranger) == "UNAVAILABLE"
    with pytest.raises(grpc.RpcError):
        server.stub.PredictEnjoyment(REQUEST, timeout=5)
    assert server.loaded_at_first == 1


def test_with_mutual_tls_clients_must_show_a_certificate_of_the_authority(
    world, start_server, authority, stranger, tmp_path
):
    options = put(authority.issue("server"), tmp_path)
    server = start_server(world.models, *options, "--tls-client-ca", str(authority.cert))
    assert predict(server, authority, authority.issue("client")) == 1
    assert predict(server, authority) == "UNAVAILABLE"
    assert predict(server, authority, stranger.issue("client")) == "UNAVAILABLE"
    cert, key = options[1], options[3]
    assert probe("--address", server.address, "--tls-cert", cert, "--tls-key", key) == (0, "SERVING")
    assert probe("--address", server.address, "--tls-cert", cert) == (1, "UNAVAILABLE")


def test_the_probe_asks_over_tls_where_the_server_has_it(encrypted, authority, stranger):
    server, folder = encrypted
    pair = authority.issue("probed")
    show(server, pair, folder)
    environment = {"COLDSTART_PORT": str(server.told["port"]), "COLDSTART_TLS_CERT": str(pair[0])}
    assert probe(**environment) == (0, "SERVING")
    assert probe("--service", "", **environment) == (0, "SERVING")
    code, output = probe("--address", server.address, "--tls-cert", str(stranger.issue("other")[0]))
    assert code == 1
    assert output.startswith("no TLS")
    assert probe("--address", server.address) == (1, "UNAVAILABLE")


def test_eight_new_certificates_under_load_cost_no_call(encrypted, authority):
    pairs = [authority.issue(f"server-{number}") for number in range(8)]
    server, folder = encrypted
    results, stop = [], threading.Event()

    def connect_and_call():
        while not stop.is_set():
            results.append(predict(server, authority))
            time.sleep(0.01)

    def call():
        options = [("grpc.ssl_target_name_override", NAME)]
        credentials = grpc.ssl_channel_credentials(authority.cert.read_bytes())
        with grpc.secure_channel(server.address, credentials, options) as channel:
            stub = pb_grpc.EnjoymentServiceStub(channel)
            while not stop.is_set():
                results.append(len(stub.PredictEnjoyment(REQUEST, timeout=10).predictions))
                time.sleep(0.01)

    threads = [threading.Thread(target=each) for each in (connect_and_call, connect_and_call, call)]
    for thread in threads:
        thread.start()
    for pair in pairs:
        show(server, pair, folder)
        began = time.monotonic()
        answered = len(results)
        while len(results) < answered + 3:
            assert time.monotonic() - began < 30
            time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(results) == {1}


def test_a_broken_certificate_keeps_the_old_one_and_is_reported(encrypted, authority):
    good, next_good = authority.issue("good"), authority.issue("next")
    server, folder = encrypted
    show(server, good, folder)
    cert, key = folder / "server.crt", folder / "server.key"

    def refused():
        return server.metric("coldstart_certificate_loads_total", result="refused")

    breaks = [
        lambda: cert.write_bytes(b"nonsense"),
        lambda: cert.write_bytes(good[0].read_bytes()[:-80]),
        lambda: put((good[0], next_good[1]), folder),
        key.unlink,
    ]
    for damage in breaks:
        before = refused()
        damage()
        end = time.monotonic() + 10
        while refused() == before:
            assert time.monotonic() < end, "not reported without a connection"
            time.sleep(0.05)
        assert predict(server, authority) == 1
        assert serial(server) == pem(good[0])
        put(good, folder)
        time.sleep(0.3)
    reasons = [line["reason"] for line in server.log() if line["event"] == "certificates_not_loaded"]
    assert any("can't read the file of --tls-key: No such file" in reason for reason in reasons)
    assert any("--tls-cert and --tls-key are no certificate and its key" in reason for reason in reasons)
    put(next_good, folder)
    assert predict(server, authority) == 1
    assert serial(server) == pem(next_good[0])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda files: files["key"].unlink(), "can't read the file of --tls-key: No such file or directory"),
        (lambda files: files["cert"].write_bytes(b"x"), "--tls-cert and --tls-key are no certificate and its key"),
        (lambda files: files["ca"].write_bytes(b"x"), "--tls-client-ca holds no certificates"),
    ],
)
def test_a_service_does_not_begin_with_a_certificate_that_can_not_be_used(world, authority, tmp_path, spoil, message):
    options = put(authority.issue("server"), tmp_path)
    ca = tmp_path / "ca.crt"
    ca.write_bytes(authority.cert.read_bytes())
    spoil({"cert": Path(options[1]), "key": Path(options[3]), "ca": ca})
    ended = subprocess.run(
        [sys.executable, "-m", "service", "--models", str(world.models), *options, "--tls-client-ca", str(ca)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: {message}")
    assert len(ended.stderr.splitlines()) == 1


def test_metrics_show_when_certificates_expire_and_that_files_are_not_used(world, start_server, authority, tmp_path):
    long, short = authority.issue("long", days="200"), authority.issue("short", days="20")
    chain, ca = tmp_path / "chain.crt", tmp_path / "clients.crt"
    chain.write_bytes(long[0].read_bytes() + authority.cert.read_bytes())
    ca.write_bytes(authority.cert.read_bytes() + long[0].read_bytes())
    options = put((chain, long[1]), tmp_path)
    server = start_server(world.models, *options, "--tls-client-ca", str(ca), "--reload-seconds", "0.1")

    def days(file):
        ends = server.metric("coldstart_certificate_not_after_timestamp_seconds", file=file)
        begins = server.metric("coldstart_certificate_not_before_timestamp_seconds", file=file)
        return round((ends - begins) / 86400), round((ends - time.time()) / 86400)

    assert days("tls_cert") == (2, 2), "the authority's, which expires first"
    assert days("tls_client_ca") == (200, 200), "as long as any client is accepted"
    put(short, tmp_path)
    wait_until(lambda: days("tls_cert") == (20, 20))
    assert server.metric("coldstart_file_behind", file="certificates") == 0
    put((long[0], short[1]), tmp_path)
    wait_until(lambda: server.metric("coldstart_file_behind", file="certificates") == 1)
    assert days("tls_cert") == (20, 20), "of what is in use"
    put(long, tmp_path)
    wait_until(lambda: server.metric("coldstart_file_behind", file="certificates") == 0)
    assert days("tls_cert") == (200, 200)
    assert server.metric("coldstart_file_behind", file="tokens") == 0


def test_reflection_can_be_switched_off(open_to_all, refused):
    server = open_to_all
    error = refused(lambda: ProtoReflectionDescriptorDatabase(server.channel).get_services())
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert server.stub.PredictEnjoyment(REQUEST).predictions


def test_a_server_that_is_open_to_every_network_without_tls_says_so(world, open_to_all, encrypted, authority):
    [warning] = [line for line in open_to_all.log() if line["event"] == "open_to_every_network_without_tls"]
    assert warning["level"] == "warning"
    assert warning["port"] == open_to_all.told["port"]
    safe, _ = encrypted
    assert predict(safe, authority) == 1
    for quiet in (world.server, safe):
        assert not [line for line in quiet.log() if line["event"].startswith("open_to")]
