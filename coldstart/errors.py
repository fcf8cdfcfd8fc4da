"""The exceptions of the notebook front.

FrontError
├── InvalidTables      frames or a folder can't be used as the tables of a data directory
└── JobFailed          a command of the job ended with an error; the message is what it printed
"""


class FrontError(Exception):
    """Base class of the errors that `import coldstart` raises."""


class InvalidTables(FrontError):
    """Frames or a folder can't be used as the tables of a data directory; the message says what to give."""


class JobFailed(FrontError):
    """A command of the job ended with an error; the message is what it printed, such as every problem of the data."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        """Exit code of the command: 2 if the arguments or the data are wrong, else 1."""
