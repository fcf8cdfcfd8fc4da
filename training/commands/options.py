"""Types of the commands' options, which refuse what can't be meant before any work."""

import argparse
from collections.abc import Callable

LARGEST = 2**63 - 1
"""What a manifest's readers can hold of a seed."""


def at_least(lowest: int) -> Callable[[str], int]:
    """The type of an option that takes a whole number from `lowest` up."""

    def whole_number(text: str) -> int:
        try:
            value = int(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"must be a whole number, {lowest} or more") from error
        if not lowest <= value <= LARGEST:
            bound = f"{lowest} or more" if value < lowest else f"{LARGEST} at most"
            raise argparse.ArgumentTypeError(f"must be {bound}")
        return value

    return whole_number
