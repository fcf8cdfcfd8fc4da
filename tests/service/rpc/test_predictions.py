"""PredictEnjoyment: predictions in the order of the request, and what responses say of unknown facts."""

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb

NUMBER = pb.AttributeValue(number=30)


def test_predictions_come_in_the_order_asked_and_a_repeated_id_is_answered_each_time(world):
    first, second = world.movie_ids[:2]
    answer = world.predict(pb.Member(), second, first, second, "nowhere")
    assert [each.movie_id for each in answer.predictions] == [second, first, second, "nowhere"]
    assert answer.predictions[0] == answer.predictions[2]


def test_new_movies_follow_the_movie_ids_unless_they_are_among_them(world):
    new = [pb.Movie(movie_id="new-2"), pb.Movie(movie_id="new-1", release_year=2001), pb.Movie(movie_id="new-0")]
    answer = world.predict(pb.Member(), "new-1", world.movie_ids[0], new=new)
    assert [each.movie_id for each in answer.predictions] == ["new-1", world.movie_ids[0], "new-2", "new-0"]
    assert answer.predictions[0].movie_evidence == pb.MOVIE_EVIDENCE_DESCRIBED
    assert answer.predictions[2].movie_evidence == pb.MOVIE_EVIDENCE_UNKNOWN


def test_every_number_is_in_its_range(world):
    scale = world.stub.GetModel(pb.GetModelRequest()).scale
    for member_id in world.some_members(3):
        for each in world.predict(pb.Member(member_id=member_id), *world.movie_ids, "nowhere").predictions:
            assert scale.low <= each.lower <= each.upper <= scale.high
            assert scale.low <= each.rating <= scale.high
            assert scale.low <= each.prior_rating <= scale.high
            assert 0 <= each.probability_enjoyed <= 1
            assert 0 <= each.extrapolation <= 1


def test_asking_by_member_id_and_with_the_same_facts_inline_gives_the_same_numbers(world):
    for member_id in world.some_members(10):
        by_id = world.predict(pb.Member(member_id=member_id), *world.movie_ids)
        inline = world.predict(world.facts(member_id), *world.movie_ids)
        assert list(by_id.predictions) == list(inline.predictions), member_id
        assert by_id.member_evidence == inline.member_evidence


def test_a_prediction_does_not_depend_on_what_else_is_asked(world):
    member = pb.Member(member_id=world.some_members(1)[0])
    together = world.predict(member, *world.movie_ids * 5).predictions
    assert len(together) > 200, "enough to be worked on in the background"
    alone = [world.predict(member, movie_id).predictions[0] for movie_id in world.movie_ids[:20]]
    assert list(together[:20]) == alone


@pytest.mark.parametrize(
    ("attributes", "plays", "ratings", "evidence"),
    [
        (False, False, False, pb.MEMBER_EVIDENCE_NOTHING),
        (True, False, False, pb.MEMBER_EVIDENCE_ATTRIBUTES),
        (False, True, False, pb.MEMBER_EVIDENCE_PLAYS),
        (True, True, False, pb.MEMBER_EVIDENCE_ATTRIBUTES_AND_PLAYS),
        (False, False, True, pb.MEMBER_EVIDENCE_RATINGS),
        (True, True, True, pb.MEMBER_EVIDENCE_ATTRIBUTES_AND_RATINGS),
    ],
)
def test_member_evidence_tells_what_the_model_could_use(world, attributes, plays, ratings, evidence):
    member = pb.Member()
    if ratings:
        member.ratings.add(movie_id=world.movie_ids[2], rating=4)
    if attributes:
        member.attributes["age"].number = 30
    if plays:
        member.plays.add(movie_id=world.movie_ids[0])
    assert world.predict(member, world.movie_ids[1]).member_evidence == evidence


def test_facts_that_the_model_cannot_use_are_no_evidence_but_counted(world):
    member = pb.Member(member_id="nobody", plays=[pb.Play(movie_id="nowhere"), pb.Play(movie_id="elsewhere")])
    member.ratings.add(movie_id="nowhere", rating=4)
    member.attributes["shoe_size"].number = 42
    member.attributes["has_children"].text = "perhaps"
    movie = pb.Movie(movie_id="new", genres=["Slapstick"], attributes={"budget": NUMBER})
    answer = world.predict(member, world.movie_ids[0], new=[movie])
    assert answer.member_evidence == pb.MEMBER_EVIDENCE_NOTHING
    assert answer.unused == pb.UnusedFacts(
        unknown_attributes=2,
        unseen_categories=1,
        plays_of_unknown_movies=2,
        unknown_member=True,
        unknown_genres=1,
        ratings_of_unknown_movies=1,
    )
    assert list(answer.predictions) == list(world.predict(None, world.movie_ids[0], "new").predictions)


def test_unused_is_absent_where_everything_was_used(world):
    assert not world.predict(pb.Member(member_id=world.some_members(1)[0]), world.movie_ids[0]).HasField("unused")


def test_a_request_without_a_member_is_one_of_whom_nothing_is_known(world):
    answer = world.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(movie_ids=[world.movie_ids[0]]))
    assert answer.member_evidence == pb.MEMBER_EVIDENCE_NOTHING


def test_given_attributes_override_the_stored_ones_and_given_plays_add_to_them(world):
    member_id = world.some_members(1)[0]
    changed = pb.Member(member_id=member_id, plays=[pb.Play(movie_id=world.movie_ids[3], completion=1)])
    changed.attributes["age"].number = 77
    inline = world.facts(member_id)
    inline.attributes["age"].number = 77
    inline.plays.add(movie_id=world.movie_ids[3], completion=1)
    answer = world.predict(changed, *world.movie_ids)
    assert list(answer.predictions) == list(world.predict(inline, *world.movie_ids).predictions)
    assert list(answer.predictions) != list(world.predict(pb.Member(member_id=member_id), *world.movie_ids).predictions)


def test_a_flag_is_the_category_true_or_false(world):
    flag = pb.Member(attributes={"has_children": pb.AttributeValue(flag=True)})
    text = pb.Member(attributes={"has_children": pb.AttributeValue(text="true")})
    assert world.predict(flag, *world.movie_ids) == world.predict(text, *world.movie_ids)


def test_given_ratings_count_at_once_and_each_movie_of_them_is_a_play_too(world):
    member_id, rated = world.some_members(1)[0], world.movie_ids[:5]
    low, high = (
        pb.Member(member_id=member_id, ratings=[pb.Rating(movie_id=movie_id, rating=rating) for movie_id in rated])
        for rating in (1, 5)
    )
    others = [movie_id for movie_id in world.movie_ids if movie_id not in rated]
    answers = [world.predict(member, *others).predictions for member in (low, high)]
    assert sum(more.rating > less.rating for less, more in zip(*answers, strict=True)) > 0.9 * len(others)
    played_too = pb.Member(member_id=member_id, plays=[pb.Play(movie_id=movie_id) for movie_id in rated])
    played_too.ratings.extend(high.ratings)
    assert list(world.predict(played_too, *others).predictions) == list(answers[1])


def test_of_two_ratings_of_a_movie_the_later_counts(world):
    movie_id, others = world.movie_ids[0], world.movie_ids[1:]
    early, late = pb.Rating(movie_id=movie_id, rating=1), pb.Rating(movie_id=movie_id, rating=5)
    early.rated_at.seconds, late.rated_at.seconds = 1_000_000_000, 1_000_000_001
    expected = world.predict(pb.Member(ratings=[late]), *others)
    for both in ([early, late], [late, early]):
        assert world.predict(pb.Member(ratings=both), *others) == expected


def test_a_movie_that_was_rated_is_answered_as_if_it_had_been_neither_played_nor_rated(world):
    first, second = (pb.Rating(movie_id=movie_id, rating=5) for movie_id in world.movie_ids[:2])
    both = world.predict(pb.Member(ratings=[first, second]), first.movie_id)
    alone = world.predict(pb.Member(ratings=[second]), first.movie_id)
    assert list(both.predictions) == list(alone.predictions)
    assert both.member_evidence == pb.MEMBER_EVIDENCE_RATINGS
    only = world.predict(pb.Member(ratings=[first]), first.movie_id)
    assert list(only.predictions) == list(world.predict(None, first.movie_id).predictions)


def test_a_movie_that_was_played_is_answered_as_if_it_had_not_been(world):
    member_id = world.some_members(1)[0]
    movie_id = world.played(member_id)[0]
    without = world.facts(member_id)
    kept = [play for play in without.plays if play.movie_id != movie_id]
    del without.plays[:]
    without.plays.extend(kept)
    asked = world.predict(pb.Member(member_id=member_id), movie_id).predictions[0]
    assert asked == world.predict(without, movie_id).predictions[0]


def test_movie_evidence_tells_rated_from_described_from_unknown(world):
    rated = world.tables.ratings["movie_id"][0]
    described = next(
        row["movie_id"]
        for row in world.tables.movies.iter_rows(named=True)
        if row["movie_id"] in world.unrated and row["release_year"]
    )
    new = pb.Movie(movie_id="new", genres=["Drama"])
    evidence = [each.movie_evidence for each in world.predict(None, rated, described, "nowhere", new=[new]).predictions]
    assert evidence == [
        pb.MOVIE_EVIDENCE_RATED,
        pb.MOVIE_EVIDENCE_DESCRIBED,
        pb.MOVIE_EVIDENCE_UNKNOWN,
        pb.MOVIE_EVIDENCE_DESCRIBED,
    ]


def test_a_description_counts_for_an_unrated_movie_and_not_for_a_rated_one(world):
    rated, unrated = world.tables.ratings["movie_id"][0], world.unrated[0]
    fields = {"release_year": 1931, "genres": ["War"], "attributes": {"runtime_minutes": pb.AttributeValue(number=240)}}
    new = [pb.Movie(movie_id=movie_id, **fields) for movie_id in (rated, unrated)]
    plain = world.predict(None, rated, unrated).predictions
    described = world.predict(None, rated, unrated, new=new).predictions
    assert described[0] == plain[0]
    assert described[1].rating != plain[1].rating


def test_a_description_adds_to_what_the_catalogue_knows_of_an_unrated_movie(world):
    """Each field that is given stands in place of the catalogue's; nothing given takes nothing away."""
    known = next(
        row
        for row in world.tables.movies.iter_rows(named=True)
        if row["movie_id"] in world.unrated and None not in row.values()
    )
    movie_id, runtime = known["movie_id"], pb.AttributeValue(number=known["runtime_minutes"])
    whole = {"country": pb.AttributeValue(text=known["country"]), "runtime_minutes": runtime}
    year, genres = int(known["release_year"]), known["genres"]

    def ask(**fields: object) -> pb.Prediction:
        return world.predict(None, new=[pb.Movie(**fields)]).predictions[0]

    plain = world.predict(None, movie_id).predictions[0]
    assert ask(movie_id=movie_id) == plain
    assert ask(movie_id=movie_id, genres=["Slapstick"]) == plain, "a genre that the model lacks is not used"
    assert ask(movie_id=movie_id, release_year=year, genres=genres, attributes=whole) == plain
    for fields, merged in (
        ({"release_year": 1931}, {"release_year": 1931, "genres": genres, "attributes": whole}),
        ({"genres": ["War"]}, {"release_year": year, "genres": ["War"], "attributes": whole}),
        (
            {"attributes": {"runtime_minutes": pb.AttributeValue(number=240)}},
            {
                "release_year": year,
                "genres": genres,
                "attributes": whole | {"runtime_minutes": pb.AttributeValue(number=240)},
            },
        ),
    ):
        prediction, alike = ask(movie_id=movie_id, **fields), ask(movie_id="new", **merged)
        assert prediction.rating == alike.rating != plain.rating
        assert prediction.movie_evidence == pb.MOVIE_EVIDENCE_DESCRIBED


def test_an_unrated_movie_that_was_played_is_answered_as_if_it_had_not_been_even_when_described(world):
    movie_id = world.unrated[0]
    new = [pb.Movie(movie_id=movie_id, release_year=1931, genres=["War"])]
    played = world.predict(pb.Member(plays=[pb.Play(movie_id=movie_id)]), movie_id, new=new).predictions
    assert list(played) == list(world.predict(None, movie_id).predictions)


@pytest.mark.parametrize("number", [3.4e38, -3.4e38, 1e-300, 0.0])
def test_extreme_numbers_give_predictions_within_the_scale(world, number):
    value = pb.AttributeValue(number=number)
    movie = pb.Movie(movie_id="new", release_year=2200, attributes={"runtime_minutes": value})
    scale = world.stub.GetModel(pb.GetModelRequest()).scale
    for each in world.predict(pb.Member(attributes={"age": value}), world.movie_ids[0], new=[movie]).predictions:
        assert scale.low <= each.lower <= each.rating <= each.upper <= scale.high
        assert 0 <= each.probability_enjoyed <= 1


def test_the_same_request_gives_exactly_the_same_answer_each_time(world):
    member = world.facts(world.some_members(1)[0])
    assert len({world.predict(member, *world.movie_ids).SerializeToString(deterministic=True) for _ in range(5)}) == 1
