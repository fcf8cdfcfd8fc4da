"""The client covers all of the contract: every method, every field of requests and of responses."""

import importlib.util
from pathlib import Path


def load_every_field():
    spec = importlib.util.spec_from_file_location("every_field", Path(__file__).with_name("every_field.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_call_and_field_of_the_contract_is_covered_by_both_clients():
    assert load_every_field().missing() == {"blocking": set(), "asyncio": set()}


def test_what_is_not_covered_is_noticed():
    """The comparison itself: a request and an answer that leave something out."""
    every_field = load_every_field()
    pb = every_field.pb
    requests = [pb.PredictEnjoymentRequest(movie_ids=["a"])]
    assert "PredictEnjoymentRequest.new_movies" in every_field.unsent(requests)
    response = every_field.filled(pb.RankMoviesResponse, every_field.count(1), 0)
    answer = every_field.predictions_shown()
    assert "RankMoviesResponse.next_page_token" in every_field.unread(response, answer)
