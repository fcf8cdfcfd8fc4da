"""GetModel: the description of the model that serves."""

from dataclasses import replace

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.artifact.artifact import load_model
from service.requests.encode import model_response


def test_it_tells_the_version_and_what_the_model_was_trained_on(world):
    model = world.stub.GetModel(pb.GetModelRequest())
    tables = world.tables
    assert model.model_version == world.versions[0]
    assert model.data.movies == len(tables.movies)
    whole = tables.ratings["member_id"].n_unique(), len(tables.ratings), len(tables.plays)
    learned = model.data.raters, model.data.ratings, model.data.plays
    for all_of_them, some in zip(whole, learned, strict=True):  # the gate keeps about one rater in twenty out
        assert 0.8 * all_of_them < some < all_of_them
    assert model.seed == 0
    assert model.trained_at.ToDatetime().year >= 2026
    assert model.data_fingerprint
    assert model.format >= 1
    assert "numpy" in model.libraries


def test_it_tells_scale_attributes_and_genres(world):
    model = world.stub.GetModel(pb.GetModelRequest())
    assert (model.scale.low, model.scale.high, model.scale.enjoyed_from) == (1, 5, 4)
    kinds = {each.name: each.kind for each in model.member_attributes}
    assert kinds["age"] == pb.ATTRIBUTE_KIND_NUMERIC
    assert kinds["gender"] == pb.ATTRIBUTE_KIND_CATEGORICAL
    assert {"country", "runtime_minutes"} == {each.name for each in model.movie_attributes}
    assert set(model.genres) == set(world.tables.movies["genres"].explode().drop_nulls())


def test_it_tells_scores_for_every_kind_of_evidence(world):
    scores = {each.member_evidence: each.scores for each in world.stub.GetModel(pb.GetModelRequest()).scores}
    assert set(scores) == {1, 2, 3, 4, 5, 6}
    assert all(each["rmse"] > 0 for each in scores.values())


def test_what_a_version_counts_beyond_the_contract_is_left_out(world):
    model = load_model(world.models / "versions" / world.versions[0])
    data = model.manifest.data | {"effective_raters": 5}
    response = model_response(replace(model, manifest=replace(model.manifest, data=data)))
    assert response.data.raters == model.manifest.data["raters"]
