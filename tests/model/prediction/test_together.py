"""Requests that are worked out together get the very answers that they get alone."""

from dataclasses import replace

import numpy as np
import pytest

from model.facts.evidence import MemberEvidence
from model.facts.facts import MemberFacts, Play
from model.prediction.model import Rows
from model.prediction.predictions import ARRAYS


@pytest.fixture(scope="module")
def requests(small) -> list[Rows]:
    """Members of every kind of evidence, each with some rated and unrated movies that it hasn't played."""
    model, random = small.model, np.random.default_rng(6)
    stored = [model.members.find(member) for member in small.truth["member_id"].unique(maintain_order=True)]
    known = [member for member in stored if member is not None][:20]
    unknown = np.full(len(model.schema.member_attributes), np.nan, np.float32)
    members = [MemberFacts.nothing(model.schema), *known, *(member.without_plays() for member in known)]
    members += [replace(member, attributes=unknown) for member in known]
    members += [
        member.with_plays([Play(movie, rating=float(random.integers(1, 6))) for movie in rated], model.schema)
        for member in members[1:21] + members[-20:]
        for rated in [random.permutation(len(model.catalogue))[: random.integers(1, 60)].tolist()]
    ]
    movies = np.arange(len(model.catalogue))
    others = [np.setdiff1d(movies, member.movies) for member in members]
    return [
        Rows(member, random.permutation(rows)[: random.integers(1, 40)].astype(np.int64))
        for member, rows in zip(members, others, strict=True)
    ]


def test_every_answer_is_bit_by_bit_the_one_given_alone(small, requests):
    model = small.model
    kinds = {model.prior.usable_evidence(request.member) for request in requests}
    assert kinds == set(MemberEvidence)
    results = model.predict_together(requests)
    assert len(results) == len(requests)
    for request, together in zip(requests, results, strict=True):
        alone = model.predict(request.member, request.rows.tolist())
        assert together.member_evidence is alone.member_evidence
        for name in ARRAYS:
            assert getattr(together, name).tobytes() == getattr(alone, name).tobytes(), name


def test_it_does_not_matter_who_comes_with_whom(small, requests):
    model = small.model
    expected = [results.rating.tobytes() for results in model.predict_together(requests)]
    for count in (1, 2, 7):
        parts = [requests[start : start + count] for start in range(0, len(requests), count)]
        ratings = [results.rating.tobytes() for part in parts for results in model.predict_together(part)]
        assert ratings == expected


def test_each_stage_is_reported_once_for_all(small, requests):
    stages: list[str] = []
    small.model.predict_together([requests[0]] * 3, stages.append)
    assert stages == ["features", "prior", "trees", "interval"]
