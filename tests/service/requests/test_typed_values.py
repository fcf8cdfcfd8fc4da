"""A value means in a request what it means in the tables, also written with blanks or in another case."""

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb


def member(member_id: str = "", **attributes: object) -> pb.Member:
    kinds = {str: "text", bool: "flag", float: "number"}
    values = {name: pb.AttributeValue(**{kinds[type(value)]: value}) for name, value in attributes.items()}
    return pb.Member(member_id=member_id, attributes=values)


def test_blanks_around_a_category_do_not_matter(world):
    category = world.stub.GetModel(pb.GetModelRequest()).member_attributes
    region = next(attribute for attribute in category if attribute.name == "region").categories[0]
    plain = world.predict(member(region=region), *world.movie_ids)
    assert plain.member_evidence == pb.MEMBER_EVIDENCE_ATTRIBUTES
    for written in (f"{region}   ", f" {region}", f"\t{region}\n", f"\u00a0{region}"):
        assert world.predict(member(region=written), *world.movie_ids) == plain


@pytest.mark.parametrize("written", ["True", "TRUE", " true ", "true"])
def test_a_flag_may_be_text_in_any_case(world, written):
    flag = world.predict(member(has_children=True), *world.movie_ids)
    assert flag.member_evidence == pb.MEMBER_EVIDENCE_ATTRIBUTES
    assert world.predict(member(has_children=written), *world.movie_ids) == flag


@pytest.mark.parametrize(
    ("name", "written"),
    [("region", ""), ("region", "  "), ("age", ""), ("age", " "), ("age", "NA"), ("has_children", "N/A")],
)
def test_a_missing_value_is_not_known_and_stands_in_place_of_the_stored_one(world, name, written):
    nothing = world.predict(None, *world.movie_ids)
    assert world.predict(member(**{name: written}), *world.movie_ids) == nothing
    member_id = next(each for each in world.some_members(20) if name in world.facts(each).attributes)
    facts = world.facts(member_id)
    del facts.attributes[name]
    answer = world.predict(member(member_id, **{name: written}), *world.movie_ids)
    assert not answer.HasField("unused")
    assert list(answer.predictions) == list(world.predict(facts, *world.movie_ids).predictions)


def test_a_mark_of_a_missing_number_is_a_category_like_any_other_text(world):
    for attribute in world.stub.GetModel(pb.GetModelRequest()).member_attributes:
        if attribute.kind == pb.ATTRIBUTE_KIND_CATEGORICAL and attribute.name != "has_children":
            answers = [world.predict(member(**{attribute.name: text}), *world.movie_ids) for text in ("NA", "unseen")]
            assert answers[0] == answers[1]
            assert answers[0].unused.unseen_categories == (not attribute.has_other)


def test_other_text_for_a_number_is_malformed(world, malformed):
    assert malformed(lambda: world.predict(member(age="31"), *world.movie_ids)) == ['member.attributes["age"]']


def test_blanks_around_genres_do_not_matter(world):
    def described(*genres: str) -> pb.PredictEnjoymentResponse:
        return world.predict(None, new=[pb.Movie(movie_id="new", genres=genres)])

    genres = world.stub.GetModel(pb.GetModelRequest()).genres[:2]
    padded = [f" {genre}  " for genre in genres]
    assert described(*padded) == described(*genres)
    assert not described(*padded).HasField("unused")
    pages = [world.stub.RankMovies(pb.RankMoviesRequest(genres=names, page_size=9)) for names in (genres, padded)]
    assert pages[0].predictions
    assert list(pages[0].predictions) == list(pages[1].predictions)


@pytest.mark.parametrize("blank", [" ", "\t\n", "\u3000"])
def test_a_blank_id_is_no_id(world, malformed, blank):
    plays = pb.Member(plays=[pb.Play(movie_id=blank)])
    assert malformed(lambda: world.predict(plays, blank, new=[pb.Movie(movie_id=blank)])) == [
        "member.plays[0].movie_id",
        "new_movies[0].movie_id",
        "movie_ids[0]",
    ]
    outcome = pb.RecordOutcomeRequest(request_id=blank, member_id=blank, movie_id=blank, rating=3)
    assert malformed(lambda: world.stub.RecordOutcome(outcome)) == ["request_id", "member_id", "movie_id"]
