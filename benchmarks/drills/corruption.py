"""What becomes of a version that may be wrong, in processes that may die of it: a trial, then one that serves it."""

import io
import json
import multiprocessing
import os
from collections.abc import Callable
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from model.artifact.artifact import load_model
from model.artifact.trial_process import Limits, main
from model.facts.facts import MemberFacts
from model.prediction.model import Model
from model.prediction.predictions import ARRAYS

SECONDS = 60.0
"""A process that takes longer hangs."""
STORED = 8
"""Published members of whom all movies are predicted."""


class Processes:
    """Starts processes that have imported the model already, so that each takes some hundredths of a second."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])

    def fate(self, folder: Path) -> str:
        """`refused: REASON` by a trial that may die, or the digest of what the version then predicts where it serves.

        Raises RuntimeError where the process that serves dies or hangs.
        """
        refusal = self._ended(_try, folder)
        if refusal is None:
            return "refused: trial"
        if refusal:
            return f"refused: {refusal}"
        predictions = self._ended(_serve, folder)
        if predictions is None:
            raise RuntimeError("the process that serves died or hung")
        return predictions

    def _ended(self, work: Callable[[str, Connection], None], folder: Path) -> str | None:
        """What a process sends, None where it dies or hangs."""
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=work, args=(str(folder), sender))
        process.start()
        sender.close()
        with receiver:
            try:
                return str(receiver.recv()) if receiver.poll(SECONDS) else None
            except EOFError:
                return None
            finally:
                process.kill()
                process.join()
                process.close()


def _try(folder: str, sender: Connection) -> None:
    """Send the reason why a trial refuses a version, empty where it doesn't."""
    _silence()
    response = io.StringIO()
    request = {"folder": folder, "memory_bytes": Limits().memory_bytes, "seconds": 5.0}
    main(io.StringIO(json.dumps(request) + "\n"), response)
    sender.send(json.loads(response.getvalue())["reason"] or "")


def _serve(folder: str, sender: Connection) -> None:
    """Send a digest of the predictions, rankings and explanations of a version."""
    _silence()
    sender.send(digest(load_model(Path(folder))))


def digest(model: Model) -> str:
    """sha256 over every number that the model predicts of all movies for some members."""
    hashed = sha256()
    nobody = MemberFacts.nothing(model.schema)
    for member in (nobody, *model.members.spread(STORED)):
        rows, ranked = model.rank(member, most=10)
        explanation = model.explain(member, 0)
        numbers: list[Any] = [rows, ranked.rating, [part.rating for part in explanation.parts]]
        predictions = model.predict(member, [*range(len(model.catalogue)), None])
        for array in (*numbers, *(getattr(predictions, name) for name in ARRAYS)):
            hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()


def _silence() -> None:
    """Let LightGBM write its warnings and its last words to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
