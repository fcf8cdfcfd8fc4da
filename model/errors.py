"""The errors of the model package: one tree, each with the reason and the exit code that its caller passes on.

    ModelError
    ├── ArtifactError       a version's files are missing, damaged, unsafe or don't make a model
    │   ├── DamagedPiece    a piece of the members' table can't be read
    │   └── WrongForest     the text of the trees isn't one that training writes
    ├── StoreError          the store can't be read, or lacks what is asked for
    ├── WrongKey            a key for signatures can't be used
    ├── BadRecord           a member's record breaks its format
    └── BadOutcome          a line of an outcome log breaks its format

A message names the file or the part that is wrong, and nothing of a member.
"""

from typing import ClassVar, Literal

from model.exit_codes import ExitCode

Reason = Literal["missing", "damaged", "unsafe", "format", "unsigned", "content", "trees", "trial", "store", "other"]
"""Why a version is refused.

missing: a file isn't there or can't be read; damaged: it isn't as it was written; unsafe: it is no plain file of the
folder, or none that belongs there; format: of another format; unsigned: without a signature by the right key; content:
its parts don't make a model; trees: the forest doesn't hold together; trial: the disposable process died, took too long
or predicted something else; store: the pointer can't be read; other: anything else.
"""


class ModelError(Exception):
    """Any error that this package foresees."""

    reason: Reason = "other"
    """Why a version is refused, where this error is the cause."""
    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED
    """How a command ends that can't go on after it."""


class ArtifactError(ModelError):
    """A version's files are missing, damaged, of another format, or don't make a model; the message names the file."""

    reason: Reason = "content"
    exit_code = ExitCode.FAILED

    def __init__(self, message: str, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.reason = reason or type(self).reason


class DamagedPiece(ArtifactError):
    """A piece of a file isn't as it was written, or holds values that are impossible."""

    reason: Reason = "damaged"


class WrongForest(ArtifactError):
    """The text isn't that of a forest as training writes it; the message says where it breaks."""

    reason: Reason = "trees"


class StoreError(ModelError):
    """The store can't be reached, a label names no version, or the version isn't there."""

    reason: Reason = "store"


class WrongKey(ModelError):
    """A file holds no ed25519 key that can be used."""


class BadRecord(ModelError):
    """A member's record isn't of the documented format; the message names the part."""


class BadOutcome(ModelError):
    """A line of an outcome log isn't an outcome; the message names what is missing or wrong."""
