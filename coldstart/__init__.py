"""coldstart predicts how much members who never or seldom rate will enjoy a movie.

For notebooks and scripts, over the same code as the commands:

    model = coldstart.train(members=…, movies=…, ratings=…, plays=…, seed=0)
    model.evaluation
    model.predict(pairs), model.rank("member-0001"), model.explain("movie-001", "member-0001")
    model.publish("models"); coldstart.load("models")
    coldstart.evaluate("data")
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coldstart.errors import FrontError, InvalidTables, JobFailed
    from coldstart.front import evaluate, load, train
    from coldstart.shown_evaluation import Evaluation
    from coldstart.trained_model import TrainedModel

__all__ = [
    "Evaluation",
    "FrontError",
    "InvalidTables",
    "JobFailed",
    "TrainedModel",
    "evaluate",
    "load",
    "train",
]

try:
    __version__ = version("coldstart")
except ImportError:  # run from a checkout that isn't installed
    __version__ = "0+unknown"

PLACES = {
    "Evaluation": "coldstart.shown_evaluation", "FrontError": "coldstart.errors", "InvalidTables": "coldstart.errors",
    "JobFailed": "coldstart.errors", "TrainedModel": "coldstart.trained_model", "evaluate": "coldstart.front",
    "load": "coldstart.front", "train": "coldstart.front",
}  # fmt: skip
"""Where the names of the front are defined: they are imported when they are used, so that the commands start fast."""


def __getattr__(name: str) -> Any:
    if name in PLACES:
        return getattr(import_module(PLACES[name]), name)
    raise AttributeError(f"module 'coldstart' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
