"""Cost of serving a version: time of a request and size of the files."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from model.artifact.artifact import MEMBERS as MEMBERS_FOLDER
from model.facts.facts import MemberFacts
from model.prediction.model import Model
from training.data.dataset import make_dataset
from training.data.reading.tables import Tables
from training.gate.count_changes import publishes_everybody
from training.versions.offline import member_facts

MOVIES = 20
"""Number of movies in a request."""
MEMBERS = 40
"""Maximum number of members whose requests are timed."""
ROUNDS = 7
"""Number of times that all requests are made; the fastest round counts."""
MILLISECONDS, MEGABYTE = 1000.0, 1_000_000.0


def milliseconds(models: Sequence[Model], tables: Tables, clock: Callable[[], float]) -> list[float]:
    """Measure the milliseconds per request of each model; the models take turns, so that load affects all of them."""
    requests = [_requests(model, tables) for model in models]
    rounds: list[list[float]] = [[] for _ in models]
    for _ in range(ROUNDS):
        for model, members_movies, times in zip(models, requests, rounds, strict=True):
            started = clock()
            for member, movies in members_movies:
                model.predict(member, movies)
            times.append((clock() - started) * MILLISECONDS / max(len(members_movies), 1))
    return [min(times) for times in rounds]


def megabytes(model: Model) -> float:
    """Return the size of a version's files in MB."""
    files: Mapping[str, Mapping[str, int]] = model.manifest.files
    return sum(file["size"] for file in files.values()) / MEGABYTE


def size_ratio(candidate: Model, current: Model) -> float:
    """Return the size of the files that both versions have, as a multiple of the current version's.

    Files of members count only if both versions publish everybody.
    """
    both = candidate.manifest.files.keys() & current.manifest.files.keys()
    if not (publishes_everybody(candidate) and publishes_everybody(current)):
        both = {name for name in both if not name.startswith(f"{MEMBERS_FOLDER}/")}
    now, before = (sum(model.manifest.files[name]["size"] for name in both) for model in (candidate, current))
    return float(now / before)


def _requests(model: Model, tables: Tables) -> list[tuple[MemberFacts, list[int]]]:
    """Make requests, alternately with and without plays, for rows of the catalogue that the member hasn't played."""
    data = make_dataset(tables, model.schema)
    requests = []
    for number, member in enumerate(list(member_facts(model, data)) or [MemberFacts.nothing(model.schema)]):
        unplayed = np.setdiff1d(np.arange(len(model.catalogue)), member.movies)
        visible = member.without_plays() if number % 2 or not len(unplayed) else member
        rows = unplayed if len(unplayed) else np.arange(len(model.catalogue))
        requests.append((visible, np.resize(rows, MOVIES).tolist()))
    return requests
