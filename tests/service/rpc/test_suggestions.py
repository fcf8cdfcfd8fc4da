"""SuggestMoviesToRate: what to ask a member for, from all movies or from some, whoever asks and however."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb


def suggest(world, **fields):
    return world.stub.SuggestMoviesToRate(pb.SuggestMoviesToRateRequest(**fields))


def ids(answer):
    return [movie.movie_id for movie in answer.movies]


def test_each_movie_narrows_the_intervals_further(world):
    for member in (None, world.facts(world.some_members(1)[0])):
        answer = suggest(world, member=member)
        assert len(answer.movies) == len(set(ids(answer))) == 10
        widths = [answer.current_width, *(movie.expected_width for movie in answer.movies)]
        assert widths == sorted(widths, reverse=True)
        assert all(0 < movie.probability_seen <= 1 for movie in answer.movies)
        assert answer.model_version == world.versions[0]
        titles = dict(world.tables.movies.select("movie_id", "title").iter_rows())
        assert all(movie.title == titles[movie.movie_id] for movie in answer.movies)
        assert not answer.HasField("unused")


def test_what_the_member_rated_is_left_out_and_what_it_played_is_seen(world):
    rated, played = world.movie_ids[:30], world.movie_ids[30:35]
    member = pb.Member(
        ratings=[pb.Rating(movie_id=movie_id, rating=3) for movie_id in rated],
        plays=[pb.Play(movie_id=movie_id) for movie_id in played],
    )
    answer = suggest(world, member=member, size=100)
    assert sorted(ids(answer)) == sorted(set(world.movie_ids) - set(rated))
    assert {movie.movie_id for movie in answer.movies if movie.probability_seen == 1} == set(played)
    assert answer.member_evidence == pb.MEMBER_EVIDENCE_RATINGS


def test_the_size_is_10_by_default_and_100_at_most(world):
    assert len(suggest(world, size=3).movies) == 3
    assert len(suggest(world, size=2_000_000_000).movies) == min(100, len(world.movie_ids))
    assert ids(suggest(world, size=3)) == ids(suggest(world))[:3]


def test_some_movies_to_choose_from(world):
    some = world.movie_ids[10:15]
    assert sorted(ids(suggest(world, movie_ids=[*some, *some, "nowhere"]))) == some
    assert not suggest(world, movie_ids=["nowhere"]).movies
    genres = dict(world.tables.movies.select("movie_id", "genres").iter_rows())
    years = dict(world.tables.movies.select("movie_id", "release_year").iter_rows())
    answer = suggest(world, genres=["Drama", "no genre"], min_release_year=1980, max_release_year=2010, size=100)
    wanted = [
        each for each in world.movie_ids if "Drama" in (genres[each] or "") and 1980 <= (years[each] or 0) <= 2010
    ]
    assert sorted(ids(answer)) == wanted
    assert answer.unused.unknown_genres == 1
    both = suggest(world, movie_ids=world.movie_ids[:40], genres=["Drama"], size=100)
    assert set(ids(both)) == {each for each in world.movie_ids[:40] if "Drama" in (genres[each] or "")}


def test_unknown_facts_are_counted(world):
    member = pb.Member(member_id="nobody", plays=[pb.Play(movie_id="nowhere")])
    unused = suggest(world, member=member).unused
    assert (unused.unknown_member, unused.plays_of_unknown_movies) == (True, 1)


def test_by_id_inline_alone_and_in_company_are_the_same_bits(world):
    raters = set(world.tables.ratings["member_id"])
    members = [member_id for member_id in world.some_members(30) if member_id not in raters][:8]
    assert len(members) > 4
    alone = [suggest(world, member=world.facts(member_id)).SerializeToString() for member_id in members]
    requests = [pb.SuggestMoviesToRateRequest(member=pb.Member(member_id=member_id)) for member_id in members]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(world.stub.SuggestMoviesToRate, requests * 4))
    assert [answer.SerializeToString() for answer in together] == alone * 4


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"size": -1}, "size"),
        ({"movie_ids": ["a", ""]}, "movie_ids[1]"),
        ({"movie_ids": ["a"] * 10_001}, "movie_ids"),
        ({"genres": [""]}, "genres[0]"),
        ({"min_release_year": 3}, "min_release_year"),
        ({"min_release_year": 2001, "max_release_year": 2000}, "max_release_year"),
    ],
)
def test_a_malformed_field_is_refused_by_its_path(world, malformed, fields, path):
    assert malformed(lambda: suggest(world, **fields)) == [path]
