"""What a version costs to serve: time of a request and size of its files."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from model.facts.facts import MemberFacts
from model.prediction.model import Model
from training.data.dataset import make_dataset
from training.data.reading.tables import Tables
from training.gate.questions import member_facts

MOVIES, MEMBERS, ROUNDS = 20, 40, 7
"""A request has so many movies; so many members are enough, in so many rounds of which the fastest counts."""
MILLISECONDS, MEGABYTE = 1000.0, 1_000_000.0


def milliseconds(models: Sequence[Model], tables: Tables, clock: Callable[[], float]) -> list[float]:
    """Milliseconds of a request to each model about the members of the tables, in turns, so that load meets all."""
    requests = [_requests(model, tables) for model in models]
    rounds: list[list[float]] = [[] for _ in models]
    for _ in range(ROUNDS):
        for model, asked, times in zip(models, requests, rounds, strict=True):
            started = clock()
            for member, movies in asked:
                model.predict(member, movies)
            times.append((clock() - started) * MILLISECONDS / max(len(asked), 1))
    return [min(times) for times in rounds]


def megabytes(model: Model) -> float:
    """Size of a version's files."""
    files: Mapping[str, Mapping[str, int]] = model.manifest.files
    return sum(file["size"] for file in files.values()) / MEGABYTE


def _requests(model: Model, tables: Tables) -> list[tuple[MemberFacts, list[int]]]:
    """Members with and without plays in turns, each with movies that it hasn't played."""
    facts = member_facts(model, make_dataset(tables, model.schema))
    requests = []
    for place, member in enumerate(facts or [MemberFacts.nothing(model.schema)]):
        unplayed = np.setdiff1d(np.arange(len(model.catalogue)), member.movies)
        shown = member.without_plays() if place % 2 or not len(unplayed) else member
        chosen = unplayed if len(unplayed) else np.arange(len(model.catalogue))
        requests.append((shown, np.resize(chosen, MOVIES).tolist()))
    return requests
