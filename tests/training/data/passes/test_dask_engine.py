"""A Dask cluster gives the same bits as threads, whichever workers die, and its end is told in a sentence."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import numpy as np
import pytest

pytest.importorskip("distributed")

from dask import config
from distributed import Client, LocalCluster

from model.artifact.serialization import core_to_files
from tests.training.conftest import new_folder
from training.data.dataset import Dataset, read_dataset
from training.data.passes import array_files, dask_engine
from training.data.passes.array_files import read_arrays, write_arrays
from training.data.passes.dask_engine import passes_on_dask
from training.data.passes.member_partition import prepare_partitions
from training.data.passes.passes import Passes, passes_in_threads
from training.data.passes.play_table import play_table
from training.errors import DamagedPartition, WorkFailed
from training.fit.fit_model import fit_model
from training.settings import FitSettings, KernelSettings, PriorSettings, TreeSettings

PARTITIONS = 30
KERNEL = KernelSettings(ridges=(64.0,), gamma=0.7, amplitude=1.6, landmarks=10)
TINY = FitSettings(
    folds=2,
    prior=PriorSettings(
        rank=2, sweeps=1, rounds=1, sweeps_per_round=1, embedding=4, sight=2, folds=2, with_plays=KERNEL,
        attributes_only=KERNEL,
    ),
    trees=TreeSettings(trees=2),
)  # fmt: skip


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two processes that work, each of which is started anew when it dies, however slow the machine is."""
    patient = config.set({"distributed.deploy.lost-worker-timeout": "1h"})  # else a worker that starts slowly is closed
    with patient, LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture
def on_dask(cluster: LocalCluster, tmp_path: Path) -> Iterator[Passes]:
    with passes_on_dask(cluster.scheduler_address, tmp_path) as passes:
        yield passes


class Sums(NamedTuple):
    total: np.ndarray
    rows: int


@pytest.fixture(scope="module")
def values() -> list[np.ndarray]:
    """Numbers of such different sizes that the order of additions shows in the last bits."""
    random = np.random.default_rng(0)
    return [np.exp(8 * random.normal(size=(random.integers(1, 9), 5))) for _ in range(PARTITIONS)]


def sums_of(values: np.ndarray) -> Sums:
    return Sums(values.sum(axis=0), len(values))


def slow_sums_of(folder: Path, values: np.ndarray) -> Sums:
    """Sums after a while, in which the process can be killed: its id is in a file of the folder."""
    (folder / f"{os.getpid()}").touch()
    time.sleep(0.05)
    return sums_of(values)


def in_this_process(values: list[np.ndarray]) -> tuple[bytes, int]:
    with passes_in_threads(1) as passes:
        return bits(passes.sum(sums_of, values))


def bits(sums: Sums) -> tuple[bytes, int]:
    return sums.total.tobytes(), sums.rows


def working(folder: Path, seconds: float = 60) -> list[int]:
    """The ids of the processes that have begun to work, once there are any."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ids := [int(path.name) for path in folder.iterdir()]:
            return ids
        time.sleep(0.01)
    raise TimeoutError("nobody works")


def killed(folder: Path) -> list[int]:
    """Kill all processes that work, once there are any."""
    ids = working(folder)
    for process in ids:
        (folder / f"{process}").unlink()
        os.kill(process, signal.SIGKILL)
    return ids


def test_sums_and_results_are_those_of_threads_bit_by_bit(on_dask, values):
    for count in (1, 3, PARTITIONS):
        assert bits(on_dask.sum(sums_of, values[:count])) == in_this_process(values[:count])
    assert on_dask.collect(pow, range(30), [2] * 30) == [number**2 for number in range(30)]
    assert on_dask.collect(pow, [], []) == []


def test_large_arguments_arrive_without_a_warning(on_dask):
    arrays = [np.full(700_000, number, np.float64) for number in range(3)]
    assert on_dask.collect(np.sum, arrays) == [0, 700_000, 1_400_000]


def files_of(passes: Passes, data: Dataset) -> dict[str, bytes]:
    return core_to_files(fit_model(passes, data, 0, TINY, lambda *_: None).core, data.schema)


def test_one_thread_and_several_and_a_cluster_publish_the_same_bytes(small, on_dask):
    data = read_dataset(small.data, 20)[1]
    data = replace(data, play_table=play_table(data.play_table.collect(), len(data.member_ids), 130))
    assert len(data.play_table.partitions) >= 20
    files = []
    for threads in (1, 3):
        with passes_in_threads(threads) as passes:
            files.append(files_of(passes, data))
    files.append(files_of(on_dask, data))
    assert len(files[0]) > 4
    assert files[0] == files[1] == files[2]


def test_workers_that_are_killed_in_mid_pass_change_no_bit(on_dask, values, tmp_path):
    folder = tmp_path / "working"
    folder.mkdir()
    victims: list[int] = []
    killers = [Thread(target=lambda: victims.extend(killed(folder))) for _ in range(2)]
    for killer in killers:
        killer.start()
        result = on_dask.sum(partial(slow_sums_of, folder), values)
        killer.join()
        assert bits(result) == in_this_process(values)
    assert len(set(victims)) >= 2


def fail(error: Exception, number: int) -> int:
    if number == 7:
        raise error
    return number


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("by nothing"),
        OSError(28, "No space left on device", "/shared/000001.arrays"),
        TimeoutError("too late"),
        DamagedPartition.of("000007.parquet"),
    ],
)
def test_an_error_in_a_worker_is_the_error_of_the_pass(on_dask, error):
    with pytest.raises(type(error)) as raised:
        on_dask.collect(partial(fail, error), range(20))
    assert (type(raised.value), raised.value.args, str(raised.value)) == (type(error), error.args, str(error))
    assert on_dask.collect(fail, [error] * 3, range(3)) == [0, 1, 2], "the cluster goes on"


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_damaged_partition_is_named_by_the_worker_that_reads_it(on_dask, small, damage):
    data = read_dataset(small.data, 20)[1]
    table = play_table(data.play_table.collect(), len(data.member_ids), 500)
    everybody, movies = np.ones(len(data.member_ids), bool), len(data.movie_ids)
    prepared = prepare_partitions(on_dask, new_folder(on_dask), table, data.attributes, movies, None, 0, everybody)
    partitions = [part.partition for part in prepared]
    path = partitions[2].folder / "000002-ratings.arrays"
    path.unlink() if damage == "missing" else path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DamagedPartition, match=r"^000002-ratings\.arrays holds a part of the data") as raised:
        on_dask.collect(lambda part: part.ratings().nnz, partitions)
    assert raised.value.exit_code == WorkFailed.exit_code


def in_memory(folder: Path) -> int:
    return sum(path.is_relative_to(folder) for path in array_files._kept)


def test_workers_forget_the_arrays_of_a_folder_in_the_end(cluster, tmp_path):
    paths = [tmp_path / f"{number}.arrays" for number in range(8)]
    for path in paths:
        write_arrays(path, {"numbers": np.arange(5)})
    with passes_on_dask(cluster.scheduler_address, tmp_path) as passes, Client(cluster) as client:
        assert passes.collect(lambda path: int(read_arrays(path, dict)["numbers"].sum()), paths) == [10] * 8
        assert sum(client.run(in_memory, tmp_path).values()) >= len(paths)
    with Client(cluster) as client:
        assert set(client.run(in_memory, tmp_path).values()) == {0}


@pytest.fixture
def start_dask(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts `dask scheduler` or `dask worker` as operators do, found by a scheduler file."""
    started: list[subprocess.Popen] = []
    folder = tmp_path / "dask"
    folder.mkdir()

    def start(kind: str, *options: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", kind, "--scheduler-file", str(folder / "scheduler.json"), *options]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))}
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(command, cwd=folder, env=environment, **silent))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def scheduler(start_dask, tmp_path) -> tuple[subprocess.Popen, str]:
    """A scheduler without workers, and its file."""
    process = start_dask(
        "scheduler", "--port", "0", "--no-dashboard", "--dashboard-address", ":0", "--host", "127.0.0.1"
    )
    file, end = tmp_path / "dask" / "scheduler.json", time.monotonic() + 60
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return process, str(file)


def a_worker(start_dask) -> subprocess.Popen:
    """A worker that nothing starts anew when it dies."""
    return start_dask("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard")


def test_a_scheduler_that_dies_in_mid_pass_ends_the_work(start_dask, scheduler, values, tmp_path):
    process, file = scheduler
    a_worker(start_dask)
    folder = tmp_path / "working"
    folder.mkdir()
    killer = Thread(target=lambda: (working(folder), process.kill()))
    killer.start()
    with pytest.raises(WorkFailed, match=r"^the Dask cluster has ended \(\w+\)$"), passes_on_dask(file, tmp_path) as it:
        it.sum(partial(slow_sums_of, folder), values * 5)
    killer.join()


def test_a_last_worker_that_dies_ends_the_work_unless_another_comes(
    start_dask, scheduler, values, tmp_path, monkeypatch
):
    _, file = scheduler
    folder = tmp_path / "working"
    folder.mkdir()

    def kill_and_replace() -> None:
        killed(folder)
        a_worker(start_dask)

    a_worker(start_dask)
    with passes_on_dask(file, tmp_path) as passes:
        replacing = Thread(target=kill_and_replace)
        replacing.start()
        assert bits(passes.sum(partial(slow_sums_of, folder), values)) == in_this_process(values)
        replacing.join()
        monkeypatch.setattr(dask_engine, "WORKER_SECONDS", 1.0)
        killing = Thread(target=killed, args=(folder,))
        killing.start()
        with pytest.raises(WorkFailed, match=r"^--cluster: the scheduler had no worker for 1 s$"):
            passes.sum(partial(slow_sums_of, folder), values)
        killing.join()


def test_a_worker_that_never_comes_is_told(scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_engine, "WORKER_SECONDS", 1.0)
    message = r"^--cluster: the scheduler had no worker for 1 s$"
    with pytest.raises(WorkFailed, match=message), passes_on_dask(scheduler[1], tmp_path):
        pass


@pytest.mark.parametrize("place", ["port", "name", "file", "another file", "no address"])
def test_no_scheduler_at_the_address_is_told(tmp_path, monkeypatch, place):
    monkeypatch.setattr(dask_engine, "CONNECT_SECONDS", 1.0)
    (tmp_path / "another.json").write_text("[]")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = {
            "port": f"tcp://127.0.0.1:{closed.getsockname()[1]}",
            "name": "tcp://nowhere.invalid:8786",
            "file": str(tmp_path / "scheduler.json"),
            "another file": str(tmp_path / "another.json"),
            "no address": "nonsense://?",
        }[place]
        message = r"^--cluster: no Dask scheduler answers at "
        with pytest.raises(WorkFailed, match=message) as raised, passes_on_dask(address, tmp_path):
            pass
    assert address in str(raised.value)
