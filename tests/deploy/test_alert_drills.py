"""Drills: servers are broken and mended, and a real Prometheus with the shipped rules tells when it began and ended."""

import datetime
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc
from model.store.job_status import GuardStatus, RetrainStatus, write_status
from model.store.store import CANDIDATE, Store
from service.rpc.security.tokens import entry_text, new_token
from tests.conftest import installed_tool, point_to

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"

AT_ONCE = 20
"""Calls at once, fewer than a server refuses."""

DAY = 86_400.0
OF_JOBS = ("ColdstartRetrainMissed", "ColdstartGuardStopped", "ColdstartWentBack")


def put(path: Path, content: bytes | str) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content if isinstance(content, bytes) else content.encode())
    new.replace(path)


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def certificate(folder: Path, begin_days: float, end_days: float) -> None:
    """Write a certificate and its key that are valid from and until so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(begin_days))
        .not_valid_after(now + datetime.timedelta(end_days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    put(folder / "server.crt", signed.public_bytes(serialization.Encoding.PEM))
    kind = serialization.PrivateFormat.PKCS8
    put(
        folder / "server.key",
        key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()),
    )


class Drill:
    """Servers to break, and what Prometheus tells of them."""

    def __init__(self, folder: Path, world, start_server, prometheus, eventually) -> None:
        self.folder, self.versions = folder, world.versions
        self.store = shutil.copytree(world.models, folder / "models")
        now = time.time()
        self.work(now - 2 * DAY, now - DAY, now - 60)
        self.late_store = folder / "late"
        self.token = new_token()
        certificate(folder, -100, 1 / 24)
        self.tokens = entry_text("drill", self.token, ["*"], b"0" * 16)
        put(folder / "tokens.toml", self.tokens)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.redis_port = free.getsockname()[1]
        self.server = start_server(
            self.store, "--workers", "2", "--reload-seconds", "0.1",
            "--tls-cert", str(folder / "server.crt"), "--tls-key", str(folder / "server.key"),
            "--tokens", str(folder / "tokens.toml"), "--members", f"redis://127.0.0.1:{self.redis_port}",
            "--members-timeout-seconds", "5",
        )  # fmt: skip
        self.late = start_server(self.late_store, "--reload-seconds", "0.1")
        self.prometheus, self.eventually = prometheus, eventually
        self.scrape()

    def scrape(self, *servers) -> None:
        self.prometheus.scrape(*(server.told["metrics_port"] for server in servers or (self.server, self.late)))

    def firing(self, alert: str) -> bool:
        return bool(self.prometheus.ask(f'ALERTS{{alertname="{alert}",alertstate="firing"}}'))

    def fires(self, alert: str) -> None:
        self.eventually(lambda: self.firing(alert), 60, f"{alert} firing")

    def resolves(self, alert: str) -> None:
        self.eventually(lambda: not self.firing(alert), 60, f"the end of {alert}")

    def work(self, finished_at: float, checked_at: float, went_back_at: float) -> None:
        """Leave in the store what the jobs would, had they done this."""
        store = Store(self.store)
        version = str(store.current())
        retrain = RetrainStatus(finished_at=finished_at, seconds=60, version=version, verdict="serves", gain_percent=3)
        write_status(store, retrain)
        write_status(store, GuardStatus(checked_at=checked_at, went_back_at=went_back_at))

    def calls(self, count: int, *, token: bool = True, member_id: str = "") -> None:
        """Call the server so many times on one connection."""
        credentials = grpc.ssl_channel_credentials((self.folder / "server.crt").read_bytes())
        metadata = [("authorization", f"Bearer {self.token}")] if token else []
        with grpc.secure_channel(f"localhost:{self.server.told['port']}", credentials) as channel:
            stub = pb_grpc.EnjoymentServiceStub(channel)
            request = pb.PredictEnjoymentRequest(member=pb.Member(member_id=member_id), movie_ids=["a"])
            codes = set()
            for _ in range(count // AT_ONCE):
                futures = [stub.PredictEnjoyment.future(request, metadata=metadata, timeout=30) for _ in range(AT_ONCE)]
                codes |= {future.code() for future in futures}
        assert codes == {grpc.StatusCode.OK if token else grpc.StatusCode.UNAUTHENTICATED}


@pytest.fixture(scope="module")
def drill(world, start_lasting, start_prometheus, eventually, tmp_path_factory) -> Iterator[Drill]:
    """Two servers, of which one has no model yet, and a Prometheus whose alerts don't wait before they fire."""
    folder = tmp_path_factory.mktemp("drill")
    alerts = folder / "alerts.yaml"
    alerts.write_text(re.sub(r"\bfor: \w+", "for: 0s", (MONITORING / "alerts.yaml").read_text()))
    with start_prometheus(MONITORING / "rules.yaml", alerts) as prometheus:
        drill = Drill(folder, world, start_lasting, prometheus, eventually)
        eventually(
            lambda: len(prometheus.ask("count_over_time(up[1m]) > 2")) == 2
        )  # so that calls are seen as an increase
        for alert in OF_JOBS:
            drill.fires(alert)
        now = time.time()
        drill.work(now, now, now - 2 * DAY)  # already now: a server looks for it once a minute
        yield drill


def test_a_server_without_a_model_until_it_has_one_and_two_with_different_ones_until_they_have_the_same(drill):
    drill.fires("ColdstartNotReady")
    partly = drill.folder / "partly"
    shutil.copytree(drill.store, partly)
    point_to(partly, drill.versions[1])
    partly.rename(drill.late_store)
    drill.resolves("ColdstartNotReady")
    drill.fires("ColdstartVersionsDiffer")
    point_to(drill.store, drill.versions[1])
    drill.resolves("ColdstartVersionsDiffer")


def test_a_certificate_about_to_expire_until_it_is_renewed(drill):
    drill.fires("ColdstartCertificateNotRenewed")
    drill.fires("ColdstartCertificateExpiring")
    certificate(drill.folder, -1, 89)
    drill.resolves("ColdstartCertificateExpiring")
    drill.resolves("ColdstartCertificateNotRenewed")


def test_tokens_that_can_not_be_read_until_they_can(drill):
    put(drill.folder / "tokens.toml", "no TOML")
    drill.fires("ColdstartFileRefused")
    put(drill.folder / "tokens.toml", drill.tokens)
    drill.resolves("ColdstartFileRefused")


def test_a_candidate_that_does_not_exist_until_it_is_withdrawn(drill):
    put(drill.store / CANDIDATE, "0" * 12 + "\n")
    drill.fires("ColdstartReloadFailing")
    (drill.store / CANDIDATE).unlink()
    drill.resolves("ColdstartReloadFailing")


def test_callers_without_a_token_until_they_are_few(drill):
    drill.calls(40, token=False)
    drill.fires("ColdstartCallersDenied")
    drill.calls(600)
    drill.resolves("ColdstartCallersDenied")


def test_a_member_store_that_is_gone_until_it_answers(drill):
    redis = installed_tool("redis-server", "redis-server")
    drill.calls(20, member_id="m")
    drill.fires("ColdstartMemberStoreFailing")
    server = subprocess.Popen(
        [redis, "--port", str(drill.redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(drill.folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        drill.eventually(lambda: listens(drill.redis_port))  # calls before would be failures more

        def ends() -> bool:
            drill.calls(200, member_id="m")
            return not drill.firing("ColdstartMemberStoreFailing")

        drill.eventually(ends, 120, "the end of ColdstartMemberStoreFailing")
    finally:
        server.terminate()
        server.wait(30)


def test_a_worker_that_can_not_load_a_model_until_it_can(drill):
    away = drill.store.with_name("away")
    drill.store.rename(away)
    try:
        subprocess.run(["kill", "-KILL", str(drill.server.worker_pids()[1])], check=True)
        drill.fires("ColdstartWorkersMissing")
        silent = f'ALERTS{{alertname="ColdstartNotReady",instance="127.0.0.1:{drill.server.told["metrics_port"]}"}}'
        assert drill.prometheus.ask(silent) == [], "the other worker serves"
    finally:
        away.rename(drill.store)
    drill.resolves("ColdstartWorkersMissing")


def test_a_server_that_answers_no_scrape_until_it_does(drill):
    drill.server.process.send_signal(signal.SIGSTOP)
    try:
        drill.fires("ColdstartDown")
    finally:
        drill.server.process.send_signal(signal.SIGCONT)
    drill.resolves("ColdstartDown")


def test_targets_that_vanish_until_they_are_back(drill):
    drill.prometheus.scrape()
    drill.fires("ColdstartAbsent")
    drill.scrape()
    drill.resolves("ColdstartAbsent")


def test_jobs_that_did_not_run_and_a_version_taken_back_until_the_jobs_ran_again(drill):
    """The alerts fired when the drill began, and the jobs ran then: this is last, since it is seen a minute later."""
    seen = "time() - max(coldstart_guard_went_back_timestamp_seconds) > 86400 and count(up == 1) == 2"
    drill.eventually(lambda: drill.prometheus.ask(seen), 150, "what the jobs did on /metrics")
    for alert in OF_JOBS:
        drill.resolves(alert)
