"""A version that the gate holds back never reaches a caller of the running service."""

import shutil

import polars as pl
import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.store.store import Store
from training.__main__ import main

QUICK = """
folds = 2
[prior]
rank = 4
sweeps = 2
rounds = 1
sweeps_per_round = 1
embedding = 20
sight = 10
folds = 2
with_plays.landmarks = 20
attributes_only.landmarks = 20
[trees]
trees = 5
"""


@pytest.mark.timeout(900)  # it retrains, which takes long on a busy machine
def test_a_service_goes_on_with_its_version_when_one_of_shuffled_ratings_is_held_back(
    world, sample, own_store, start_server, tmp_path, capsys
):
    server = start_server(own_store, "--reload-seconds", "0.1")
    request = pb.PredictEnjoymentRequest(member=pb.Member(member_id="member-0001"), movie_ids=world.movie_ids)
    before = server.stub.PredictEnjoyment(request)
    data = shutil.copytree(sample[1].parent / "data", tmp_path / "data")
    ratings = pl.read_parquet(data / "ratings.parquet")
    ratings.with_columns(pl.col("rating").shuffle(seed=1)).write_parquet(data / "ratings.parquet")
    settings = tmp_path / "settings.toml"
    settings.write_text(QUICK)
    arguments = ["retrain", "--data", str(data), "--models", str(own_store), "--settings", str(settings)]
    code, told = main(arguments), capsys.readouterr().out
    assert code == 3, told
    assert "The gate holds this version back." in told
    store = Store(own_store)
    assert store.current() == before.model_version == world.versions[0]
    assert store.label("candidate") is None, "what was held back answers nobody, not even a canary's share"
    assert len(store.versions()) == len(world.versions) + 1
    for _ in range(3):
        assert server.stub.PredictEnjoyment(request) == before
    assert server.metric("coldstart_model_info") == 1
    assert server.metric("coldstart_model_info", version=world.versions[0]) == 1
