"""Worlds that folders of tests share: sample data whose truth is known, models made of it, and real servers of them."""

import atexit
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before it is loaded, as the job does
os.environ.setdefault("OMP_NUM_THREADS", "1")  # several threads of LightGBM wait for each other more than they work
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):  # which would let each of many hundred processes compile all anew
    os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="coldstart-bytecode-")
    atexit.register(shutil.rmtree, os.environ["PYTHONPYCACHEPREFIX"], ignore_errors=True)

import grpc
import polars as pl
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc
from model.artifact.artifact import load_model
from model.cores import usable_cores
from model.prediction.model import Model
from model.store.store import Store
from training.__main__ import main
from training.data.dataset import read_dataset
from training.data.passes.passes import Passes, passes_in_threads
from training.data.reading.tables import Tables, read_tables
from training.fit.fit_model import Fit, fit_model
from training.settings import FitSettings

ROOT = Path(__file__).parents[1]


def pytest_xdist_auto_num_workers() -> int:
    """Three processes for two cores, since tests that wait for a server leave their core idle."""
    return usable_cores() * 3 // 2


@dataclass(frozen=True)
class Published:
    """A sample data directory and the store that a retrain filled from it."""

    data: Path
    """The data directory."""
    models: Path
    """The store; `current` names the one version."""
    version: str
    """The version."""
    tables: Tables
    """The tables as they were read."""
    truth: pl.DataFrame
    """What never-raters truly feel, and how they would rate: member_id, movie_id, enjoyment, played, rating."""
    model: Model
    """The version, loaded."""

    @property
    def folder(self) -> Path:
        """The version's folder."""
        return self.models / "versions" / self.version


def installed_tool(name: str, package: str) -> str:
    """The path of a program that some tests need; where it is missing they are skipped, but fail in CI."""
    found = shutil.which(name)
    if found is None:
        tell = pytest.fail if os.environ.get("CI") else pytest.skip
        tell(f"{name} is missing: on Debian, apt-get install {package}")
    return found


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that all processes of the test run share, made by the first of them that needs it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


def published_world(factory: pytest.TempPathFactory, name: str, *sample: str, settings: str = "") -> Published:
    """Sample data and a model of it, made once for all processes."""

    def make(folder: Path) -> None:
        file = folder / "settings.toml"
        file.write_text(settings)
        places = ("--data", str(folder / "data"), "--models", str(folder / "models"))
        assert main(["sample", "--out", str(folder / "data"), *sample]) == 0
        assert main(["retrain", *places, "--settings", str(file)]) == 0

    folder = made_once(factory, name, make)
    data, models = folder / "data", folder / "models"
    store = Store(models)
    version = store.current()
    assert version is not None
    truth = pl.read_parquet(data / "truth.parquet")
    return Published(data, models, version, read_tables(data), truth, load_model(store.folder(version)))


LEARNED = """\
folds = 3
[prior]
rank = 12
sweeps = 8
[prior.with_plays]
ridges = [16.0, 64.0, 256.0]
landmarks = 500
[prior.attributes_only]
ridges = [16.0, 64.0, 256.0]
landmarks = 300
[trees]
trees = 30
"""
"""Settings with which the truth of the sample is learned in little more than half of the time."""


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """The sample as `training sample` makes it unless told else, big enough for its truth to be learned."""
    return published_world(tmp_path_factory, "published", settings=LEARNED)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A sample that is learned in seconds, for all that is not about accuracy."""
    return published_world(tmp_path_factory, "small", "--members", "200", "--movies", "60")


@pytest.fixture(scope="session")
def passes() -> Iterator[Passes]:
    """Passes in two threads, whose files stay as long as the fits of them."""
    with passes_in_threads(2) as in_threads:
        yield in_threads


@pytest.fixture(scope="session")
def small_fit(small: Published, passes: Passes) -> Fit:
    """The fit of the small sample, with what its features were made from."""
    return fit_model(passes, read_dataset(small.data, 20)[1], 0, FitSettings(), lambda *_: None)


class Server:
    """A server in processes of its own: with one worker, which starts soonest, unless told otherwise."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        self.log_file = folder / "log"
        workers = [] if "--workers" in arguments else ["--workers", "1"]
        with self.log_file.open("w") as log:
            call = [sys.executable, "-m", "service", "--port", "0", "--metrics-port", "0", *workers, *arguments]
            self.process = subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        assert line, self.log_file.read_text()
        self.told = json.loads(line)
        self.channel = grpc.insecure_channel(self.address)
        self.stub = pb_grpc.EnjoymentServiceStub(self.channel)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.told['port']}"

    def log(self) -> list[dict]:
        """The lines logged so far; every one must be JSON."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]

    def worker_pids(self) -> dict[int, int]:
        """The process of each worker that serves or served last, by the worker's number."""
        return {line["worker"]: line["pid"] for line in self.log() if line["event"] == "worker_serves"}

    def scrape(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.told['metrics_port']}/metrics") as response:
            return response.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """The value of the one series with these labels among its own."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = [
            line
            for line in self.scrape().splitlines()
            if line.startswith((name + "{", name + " ")) and all(label in line for label in wanted)
        ]
        assert len(found) == 1, found
        return float(found[0].rsplit(" ", 1)[1])

    def ask_to_stop(self) -> None:
        self.channel.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Ask to stop and wait; the exit code."""
        self.ask_to_stop()
        code = self.process.wait(30)
        self.process.stdout.close()
        return code


@dataclass
class World:
    """Sample data, two models of it and a server of the first."""

    tables: Tables
    models: Path
    """The store; `current` names the first version."""
    versions: list[str]
    server: Server

    @property
    def stub(self) -> pb_grpc.EnjoymentServiceStub:
        return self.server.stub

    @property
    def movie_ids(self) -> list[str]:
        return self.tables.movies["movie_id"].to_list()

    @property
    def unrated(self) -> list[str]:
        """Movies of the catalogue that nobody has rated."""
        return self.tables.movies.join(self.tables.ratings, on="movie_id", how="anti")["movie_id"].to_list()

    def facts(self, member_id: str) -> pb.Member:
        """All that the tables tell of a member, inline."""
        member = pb.Member()
        for row in self.tables.members.filter(pl.col("member_id") == member_id).drop("member_id").iter_rows(named=True):
            for name, value in row.items():
                if isinstance(value, str):
                    member.attributes[name].text = value
                elif value is not None:
                    member.attributes[name].number = value
        for name, time in (("plays", "played_at"), ("ratings", "rated_at")):
            rows = getattr(self.tables, name).filter(pl.col("member_id") == member_id).drop("member_id")
            for row in rows.iter_rows(named=True):
                event = getattr(member, name).add(**{**row, time: None})
                if (seconds := row[time]) is not None:
                    getattr(event, time).seconds = int(seconds)
        return member

    def some_members(self, count: int) -> list[str]:
        """Ids of members of each kind: with and without attributes, plays and ratings."""
        attributes, plays = self.tables.members["member_id"], self.tables.plays["member_id"].unique(maintain_order=True)
        kinds = (
            plays.filter(plays.is_in(attributes.implode())),
            plays.filter(~plays.is_in(attributes.implode())),
            attributes.filter(~attributes.is_in(plays.implode())),
        )
        assert all(len(kind) for kind in kinds)
        return [member for kind in kinds for member in kind.head(count)]

    def played(self, member_id: str) -> list[str]:
        return self.tables.plays.filter(pl.col("member_id") == member_id)["movie_id"].to_list()

    def predict(self, member: pb.Member | None = None, *movie_ids: str, new: list[pb.Movie] | None = None):
        return self.stub.PredictEnjoyment(
            pb.PredictEnjoymentRequest(member=member, movie_ids=movie_ids, new_movies=new or [])
        )


def train(command: str, *arguments: str) -> None:
    """Run a command of the job, in a process of its own."""
    call = [sys.executable, "-m", "training", command, *arguments]
    subprocess.run(call, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tables, Path, list[str]]:
    """The tables, the store and its two versions, of which `current` names the first."""

    def make(folder: Path) -> None:
        data, models = folder / "data", folder / "models"
        train("sample", "--out", str(data), "--members", "300", "--movies", "80", "--seed", "1")
        versions, patient = [], ("--gate-most-latency-ratio", "100")  # a busy machine holds no version back
        for seed in ("0", "1"):
            train("retrain", "--data", str(data), "--models", str(models), "--seed", seed, *patient)
            versions.append((models / "current").read_text().strip())
        point_to(models, versions[0])
        (folder / "versions").write_text(" ".join(versions))

    folder = made_once(tmp_path_factory, "world", make)
    versions = (folder / "versions").read_text().split()
    assert versions[0] != versions[1]
    return read_tables(folder / "data"), folder / "models", versions


def point_to(models: Path, version: str) -> None:
    """Make a version the current one, as a publisher does."""
    pointer = models / "current.new"
    pointer.write_text(version + "\n")
    pointer.replace(models / "current")


@contextmanager
def starting(factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts servers of a store, with any further arguments; all are stopped in the end."""
    started: list[Server] = []

    def start(models: Path, *arguments: str) -> Server:
        started.append(Server(factory.mktemp("server"), ["--models", str(models), *arguments]))
        return started[-1]

    try:
        yield start
    finally:
        for server in started:
            server.ask_to_stop()
        for server in started:
            server.stop()


@pytest.fixture
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts servers that live as long as one test."""
    with starting(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="module")
def start_lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts servers that the tests of one file share."""
    with starting(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="session")
def world(sample: tuple[Tables, Path, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    tables, models, versions = sample
    with starting(tmp_path_factory) as start:
        outcomes = tmp_path_factory.mktemp("outcomes")
        yield World(tables, models, versions, start(models, "--outcomes", str(outcomes)))


@pytest.fixture
def own_store(sample: tuple[Tables, Path, list[str]], tmp_path: Path) -> Path:
    """A copy of the store that a test may change."""
    return shutil.copytree(sample[1], tmp_path / "models")


@pytest.fixture
def publish() -> Callable[[Path, str], None]:
    return point_to


@pytest.fixture
def refused() -> Callable[[Callable[[], object]], grpc.RpcError]:
    """The error that a call ends with."""

    def error_of(call: Callable[[], object]) -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as raised:
            call()
        return raised.value

    return error_of


@pytest.fixture
def details() -> Callable[[grpc.RpcError, type[Message]], list[Message]]:
    """The rich details of an error that are of one type."""

    def of_type(error: grpc.RpcError, kind: type[Message]) -> list[Message]:
        found = []
        for packed in rpc_status.from_call(error).details:
            detail = kind()
            if packed.Unpack(detail):
                found.append(detail)
        return found

    return of_type


@pytest.fixture
def malformed(
    refused: Callable[[Callable[[], object]], grpc.RpcError],
    details: Callable[[grpc.RpcError, type[Message]], list[Message]],
) -> Callable[[Callable[[], object]], list[str]]:
    """The paths that a call is refused for."""

    def paths(call: Callable[[], object]) -> list[str]:
        error = refused(call)
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error.details()
        [told] = details(error, error_details_pb2.BadRequest)
        assert all(violation.description for violation in told.field_violations)
        return [violation.field for violation in told.field_violations]

    return paths
