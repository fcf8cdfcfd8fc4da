"""RankMovies: the order, the filters and the pages."""

import base64

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb


def rank(world, **fields):
    return world.stub.RankMovies(pb.RankMoviesRequest(**fields))


def ids(answer):
    return [each.movie_id for each in answer.predictions]


def pages(world, size, **fields):
    token, seen = "", []
    while True:
        answer = rank(world, page_size=size, page_token=token, **fields)
        assert len(answer.predictions) <= size
        seen.append(ids(answer))
        token = answer.next_page_token
        if not token:
            return seen


def test_a_played_movie_is_never_ranked(world):
    for member_id in world.some_members(3):
        ranked = ids(rank(world, member=pb.Member(member_id=member_id), page_size=1000))
        assert sorted(ranked) == sorted(set(world.movie_ids) - set(world.played(member_id)))
    inline = pb.Member(plays=[pb.Play(movie_id=world.movie_ids[0])])
    assert world.movie_ids[0] not in ids(rank(world, member=inline, page_size=1000))


def test_the_best_come_first(world):
    ratings = [each.rating for each in rank(world, page_size=1000).predictions]
    assert ratings == sorted(ratings, reverse=True)


def test_a_page_has_20_movies_by_default_and_never_more_than_there_are(world):
    assert len(rank(world).predictions) == 20
    assert len(rank(world, page_size=3).predictions) == 3
    assert len(rank(world, page_size=2_000_000_000).predictions) == len(world.movie_ids)


def test_the_pages_walk_through_the_catalogue_once(world):
    member = pb.Member(member_id=world.some_members(1)[0])
    whole = ids(rank(world, member=member, page_size=1000))
    for size in (7, len(whole), len(whole) - 1):
        walked = pages(world, size, member=member)
        assert [movie_id for page in walked for movie_id in page] == whole
        assert all(walked), "no page is empty"


def test_the_page_size_may_change_between_pages(world):
    first = rank(world, page_size=5)
    second = rank(world, page_size=9, page_token=first.next_page_token)
    assert ids(first) + ids(second) == ids(rank(world, page_size=14))


def test_genres_leave_movies_with_any_of_them(world):
    wanted = {"Drama", "War"}
    rows = world.tables.movies.iter_rows(named=True)
    expected = {row["movie_id"] for row in rows if row["genres"] and wanted & set(row["genres"])}
    assert set(ids(rank(world, genres=["Drama", "War"], page_size=1000))) == expected
    assert expected


def test_years_leave_movies_released_between_them(world):
    years = dict(world.tables.movies.select("movie_id", "release_year").iter_rows())
    middle = sorted(year for year in years.values() if year is not None)[len(years) // 2]
    for fields, passes in (
        ({"min_release_year": int(middle)}, lambda year: year >= middle),
        ({"max_release_year": int(middle)}, lambda year: year <= middle),
        ({"min_release_year": int(middle), "max_release_year": int(middle)}, lambda year: year == middle),
    ):
        expected = {movie_id for movie_id, year in years.items() if year is not None and passes(year)}
        assert set(ids(rank(world, page_size=1000, **fields))) == expected
        assert expected


def test_a_genre_that_the_model_lacks_matches_no_movie_and_is_counted(world):
    answer = rank(world, genres=["Slapstick"])
    assert ids(answer) == []
    assert answer.next_page_token == ""
    assert answer.unused.unknown_genres == 1
    assert answer.member_evidence == pb.MEMBER_EVIDENCE_NOTHING


def test_a_token_is_good_for_its_own_request_only(world, malformed):
    token = rank(world, genres=["Drama"], page_size=2).next_page_token
    assert token
    for fields in ({}, {"genres": ["War"]}, {"genres": ["Drama"], "member": pb.Member(member_id="nobody")}):
        assert malformed(lambda fields=fields: rank(world, page_token=token, **fields)) == ["page_token"]


def test_a_token_is_good_for_its_own_model_version_only(world, own_store, publish, start_server, malformed):
    token = rank(world, page_size=2).next_page_token
    publish(own_store, world.versions[1])
    other = start_server(own_store)
    assert malformed(lambda: other.stub.RankMovies(pb.RankMoviesRequest(page_token=token))) == ["page_token"]


@pytest.mark.parametrize("token", ["x", "ü", "AAAA", "=", base64.urlsafe_b64encode(bytes(20)).decode(), "A" * 100_000])
def test_any_other_token_is_malformed(world, malformed, token):
    assert malformed(lambda: rank(world, page_token=token)) == ["page_token"]
