"""A version that the gate holds back never reaches a caller of the running service."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.store.store import Store

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(900)  # it retrains, which takes long on a busy machine
def test_a_service_goes_on_with_its_version_when_one_of_shuffled_ratings_is_held_back(
    world, sample, own_store, start_server, tmp_path
):
    server = start_server(own_store, "--reload-seconds", "0.1")
    request = pb.PredictEnjoymentRequest(member=pb.Member(member_id="member-0001"), movie_ids=world.movie_ids)
    before = server.stub.PredictEnjoyment(request)
    data = shutil.copytree(sample[1].parent / "data", tmp_path / "data")
    ratings = pl.read_parquet(data / "ratings.parquet")
    ratings.with_columns(pl.col("rating").shuffle(seed=1)).write_parquet(data / "ratings.parquet")
    command = [sys.executable, "-m", "training", "retrain", "--data", str(data), "--models", str(own_store)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 3, done.stdout
    assert "The gate holds this version back." in done.stdout
    store = Store(own_store)
    assert store.current() == before.model_version == world.versions[0]
    assert store.label("candidate") is None, "what was held back answers nobody, not even a canary's share"
    assert len(store.versions()) == len(world.versions) + 1
    for _ in range(3):
        assert server.stub.PredictEnjoyment(request) == before
    assert server.metric("coldstart_model_info") == 1
    assert server.metric("coldstart_model_info", version=world.versions[0]) == 1
