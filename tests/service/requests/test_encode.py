"""Predictions encoded a column at a time have the bytes that protobuf would write."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.predictions import Predictions
from service.requests.encode import DOUBLES, predictions_bytes

numbers = st.floats(allow_nan=False, allow_infinity=False)
rows = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=("Cs",)), max_size=40),
        st.text(st.characters(exclude_categories=("Cs",)), max_size=200),
        st.tuples(*[numbers] * len(DOUBLES)),
        st.sampled_from(MovieEvidence),
    ),
    max_size=30,
    unique_by=lambda row: row[0],
)


def predictions(columns: list[tuple[float, ...]], evidence: list[MovieEvidence]) -> Predictions:
    fields = dict(zip(DOUBLES, np.array(columns, float).reshape(len(columns), len(DOUBLES)).T, strict=True))
    kinds = np.array(evidence, np.int8)
    return Predictions(**fields, movie_evidence=kinds, member_evidence=MemberEvidence.PLAYS)


@settings(deadline=None)
@given(rows)
def test_protobuf_reads_the_messages_that_it_would_have_written(given_rows):
    movie_ids, titles, columns, evidence = zip(*given_rows, strict=True) if given_rows else ((), (), (), ())
    title_of = dict(zip(movie_ids, titles, strict=True)).__getitem__
    encoded = predictions_bytes(movie_ids, predictions(columns, evidence), title_of)
    read = pb.PredictEnjoymentResponse.FromString(encoded)
    made = pb.PredictEnjoymentResponse(
        predictions=[
            pb.Prediction(
                movie_id=movie_id, title=title, movie_evidence=int(kind), **dict(zip(DOUBLES, values, strict=True))
            )
            for movie_id, title, values, kind in given_rows
        ]
    )
    assert read == made
    assert read.SerializeToString() == made.SerializeToString()
    assert {field.name for prediction in made.predictions for field, _ in prediction.ListFields()} <= {
        "movie_id", "title", "movie_evidence", *DOUBLES
    }  # fmt: skip


@pytest.mark.parametrize("length", [0, 1, 63, 64, 70, 71, 127, 128, 256, 1024, 20_000])
def test_ids_of_any_length_are_encoded(length):
    movie_ids = ["é" * length, "x"]
    made = predictions([(1.0,) * len(DOUBLES)] * 2, [MovieEvidence.UNKNOWN] * 2)
    for response in (pb.PredictEnjoymentResponse, pb.RankMoviesResponse):
        read = response.FromString(predictions_bytes(movie_ids, made, str.upper))
        assert [prediction.movie_id for prediction in read.predictions] == movie_ids
        assert [prediction.title for prediction in read.predictions] == [text.upper() for text in movie_ids]


def test_every_field_of_a_prediction_is_written():
    assert {*DOUBLES, "movie_id", "title", "movie_evidence"} == {
        field.name for field in pb.Prediction.DESCRIPTOR.fields
    }
    assert all(field.number < 16 for field in pb.Prediction.DESCRIPTOR.fields)


def test_a_wrong_number_of_ids_is_refused():
    with pytest.raises(ValueError, match="size"):
        predictions_bytes(["a", "b"], predictions([(1.0,) * len(DOUBLES)], [MovieEvidence.RATED]), str)
