"""The exceptions of the model package, each with a reason and with the exit code of a command that it stops.

    ModelError
    ├── ArtifactError       a version's files are missing, damaged, unsafe or inconsistent
    │   ├── DamagedPiece    a piece of the member table is damaged or holds impossible values
    │   ├── Unreadable      a file or folder exists but can't be read; it is a StoreError too
    │   └── WrongForest     the LightGBM model file isn't one that training writes
    ├── StoreError          the store can't be read, or a requested version isn't in it
    ├── WrongKey            a key file can't be used
    ├── BadRecord           a member's record violates its format
    └── BadOutcome          a line of an outcome log violates its format

Messages name the file or the part that is wrong. They never contain data of a member.
"""

from typing import Literal

from model.exit_codes import ExitCode

Reason = Literal[
    "missing", "damaged", "unsafe", "format", "unsigned", "member_key", "content", "trees", "trial", "store", "other"
]
"""Why a version (a published model, as a folder of files) is refused.

missing: a file doesn't exist or can't be read; damaged: a file has changed since it was written; unsafe: a file isn't a
regular file or doesn't belong to the version; format: the version has another format; unsigned: it isn't signed with
the required key; member_key: ids of members are hashed with a key that isn't given; content: its parts are
inconsistent; trees: its LightGBM model is invalid; trial: the trial process crashed, timed out or got different golden
predictions; store: the store or a label can't be read; other: all else.
"""


REMEDIES: dict[Reason, str] = {
    "format": "make one with this release (`python -m training retrain`), or run the release that made it",
    "unsigned": "sign it (`python -m training models sign`), or give the key that it was signed with",
    "member_key": "give the file with the key that it was published with as --member-key or $COLDSTART_MEMBER_KEY",
    "store": "look at the store's file system, then promote a version (`python -m training models promote`)",
}
"""What to do about a refused version, by reason; for other reasons, ANOTHER."""
ANOTHER = "promote another version (`python -m training models list`, then `models promote`), or retrain"


class ModelError(Exception):
    """Base class of the errors that this package raises: files or settings that a model can't be used with."""

    reason: Reason = "other"
    """Why a version is refused, if it is refused because of this error."""
    exit_code: ExitCode = ExitCode.REFUSED
    """Exit code of a command that this error stops."""


class ArtifactError(ModelError):
    """A version's files are missing, damaged, unsafe, inconsistent or of another format; the message names the file."""

    reason: Reason = "content"
    exit_code = ExitCode.FAILED

    def __init__(self, message: str, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.reason = reason or type(self).reason


class DamagedPiece(ArtifactError):
    """A piece (16 KB) of a file of the member table has changed since it was written, or holds impossible values."""

    reason: Reason = "damaged"


class WrongForest(ArtifactError):
    """The file with a version's trees isn't a LightGBM model as training writes it; the message names the problem."""

    reason: Reason = "trees"


class StoreError(ModelError):
    """The store of published models can't be reached, a label is invalid, or a version isn't in the store."""

    reason: Reason = "store"


class Unreadable(ArtifactError, StoreError):
    """A file or folder of the store or of a version exists, but can't be read: this user may not, or the disk fails.

    Commands of the training job end with ExitCode.FAILED if the disk fails.
    """

    reason: Reason = "missing"
    exit_code = ExitCode.REFUSED


class WrongKey(ModelError):
    """A key file can't be used: one for signing, for checking signatures, or for hashing members' ids."""


class BadRecord(ModelError):
    """The record of a member in an external store violates the documented format; the message names the wrong part."""


class MemberStoreError(ModelError):
    """The file of a store of members can't be used: it is none, or its live ratings lie under another key."""


class BadOutcome(ModelError):
    """A line of an outcome log (ratings and completions that callers reported) is invalid; the message says why."""
