"""What a service asks of a version before it answers with it."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.store.signature import private_key, sign
from model.store.store import Store

ROOT = Path(__file__).parents[3]
FAST = ("--reload-seconds", "0.1")


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within time"
        time.sleep(0.05)


def refusals(server, reason):
    return server.metric("coldstart_model_refusals_total", model="current", reason=reason)


def version(server):
    return server.stub.GetModel(pb.GetModelRequest()).model_version


@pytest.fixture(scope="module")
def store(sample, tmp_path_factory):
    """The store of the server that asks for signatures."""
    return Store(shutil.copytree(sample[1], tmp_path_factory.mktemp("store") / "models"))


@pytest.fixture(scope="module")
def server(sample, store, start_lasting, tmp_path_factory):
    """A server that asks for signatures, and began while its version had none."""
    folder = tmp_path_factory.mktemp("keys")
    private, public = folder / "private.pem", folder / "public.pem"
    for command in (["genpkey", "-algorithm", "ed25519", "-out", private], ["pkey", "-in", private, "-pubout"]):
        done = subprocess.run(["openssl", *command], check=True, capture_output=True)
    public.write_bytes(done.stdout)
    first, second = sample[2]
    sign(store, second, private_key(private.read_bytes()))
    server = start_lasting(store.root, *FAST, "--require-signature", str(public))
    wait_until(lambda: refusals(server, "unsigned") >= 1)
    sign(store, first, private_key(private.read_bytes()))
    wait_until(lambda: server.metric("coldstart_ready") == 1)
    return server


def test_every_reason_is_a_series_at_0_from_the_begin(world):
    lines = [line for line in world.server.scrape().splitlines() if line.startswith("coldstart_model_refusals_total{")]
    assert len(lines) == 22
    assert {line.rsplit(" ", 1)[1] for line in lines} == {"0.0"}


@pytest.mark.parametrize(
    "trained_at", ["garbage", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:59", "2024-01-01T00:00:00", 7]
)
def test_a_time_that_makes_no_sense_never_makes_the_metrics_name_a_version_that_does_not_serve(
    world, store, publish, server, trained_at
):
    first, second = world.versions
    before = refusals(server, "damaged")
    run = store.folder(second) / "run.json"
    sound = run.read_text()
    run.write_text(json.dumps({"trained_at": trained_at, "seconds": 1}))
    publish(store.root, second)
    try:
        wait_until(lambda: refusals(server, "damaged") > before)
        assert version(server) == first
        assert server.metric("coldstart_model_info", model="current") == 1
        assert server.metric("coldstart_model_info", version=first) == 1
        assert server.metric("coldstart_model_behind", model="current") == 1
    finally:
        publish(store.root, first)
        run.write_text(sound)
    wait_until(lambda: server.metric("coldstart_model_behind", model="current") == 0)


def test_without_the_right_signature_nothing_is_loaded(world, server):
    assert server.told["model_version"] is None
    first = next(line for line in server.log() if line["event"].startswith("model_"))
    assert (first["event"], first["kind"], first["serving"]) == ("model_not_loaded", "unsigned", None)
    assert version(server) == world.versions[0], "once it is signed"


def test_a_service_does_not_begin_with_a_key_that_checks_no_signature(world, tmp_path):
    key = tmp_path / "key.pem"
    key.write_text("no key")
    ended = subprocess.run(
        [sys.executable, "-m", "service", "--models", str(world.models), "--require-signature", str(key)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr == "error: the file of --require-signature can't be used: the public key isn't one in PEM\n"


def test_a_version_that_takes_more_than_a_trial_may_is_refused_and_harms_nobody(world, own_store, start_server):
    server = start_server(own_store, *FAST, "--trial-seconds", "0.1")
    wait_until(lambda: refusals(server, "trial") >= 1)
    assert server.process.poll() is None
    assert server.metric("coldstart_ready") == 0


def test_a_store_at_an_address_is_followed_too(world, own_store, start_server, tmp_path):
    server = start_server(f"file://{own_store}", *FAST, "--models-cache", str(tmp_path / "cache"))
    request = pb.PredictEnjoymentRequest(movie_ids=world.movie_ids)
    assert server.stub.PredictEnjoyment(request) == world.server.stub.PredictEnjoyment(request)
    Store(own_store).promote(world.versions[1])
    wait_until(lambda: version(server) == world.versions[1])
    assert (tmp_path / "cache" / "versions" / world.versions[1] / "manifest.json").is_file()


def children(pid, name):
    """The children of a process whose command names a module."""
    found = [child for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]
    return [child for child in found if name in Path(f"/proc/{child}/cmdline").read_text()]


def trials(server):
    """The disposable processes of a server's one worker."""
    (worker,) = children(server.process.pid, "service.processes.worker")
    return children(worker, "model.artifact.trial_process")


def test_a_disposable_process_waits_for_the_next_version(world):
    wait_until(lambda: len(trials(world.server)) == 1)


def test_the_disposable_process_that_waits_goes_with_the_service(start_server, tmp_path):
    server = start_server(tmp_path / "no-version-yet")
    wait_until(lambda: len(trials(server)) == 1)
    [waiting] = trials(server)
    assert server.stop() == 0
    wait_until(lambda: not Path(f"/proc/{waiting}").exists())
