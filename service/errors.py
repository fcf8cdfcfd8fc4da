"""The errors of the service."""


class Overloaded(Exception):
    """There are more calls than can be answered; nothing was computed."""

    def __init__(self, retry_seconds: float) -> None:
        super().__init__(retry_seconds)
        self.retry_seconds = retry_seconds
