"""The command `coldstart-client`: calls a service and prints the response as a table or as JSON."""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from coldstart_client.answers import as_plain
from coldstart_client.blocking import TIMEOUT_SECONDS, Client
from coldstart_client.connection import Tls
from coldstart_client.errors import CallFailed, InvalidCall, Overloaded, Refused, Unreachable
from coldstart_client.requests import Attribute, Play, Rating
from coldstart_client.text import shown

EXIT_CODES: dict[type[CallFailed], int] = {InvalidCall: 2, Refused: 3, Unreachable: 4, Overloaded: 4}
"""Exit codes of failed calls; 1 for all other errors. argparse also exits with 2 if the command line is invalid."""


def main(argv: Sequence[str], environment: Mapping[str, str], output: TextIO, errors: TextIO) -> int:
    """Make the call given on the command line and print the response.

    Returns the exit code: 0 on success, 1 if the service failed, 2 for an invalid command line or request, 3 for a
    missing or invalid token, 4 if the service is overloaded or can't be reached.
    """
    arguments = _parser(environment).parse_args(argv)
    try:
        tls = (
            Tls(arguments.ca, arguments.cert, arguments.key, arguments.server_name)
            if arguments.tls or arguments.ca or arguments.cert
            else None
        )
        token = arguments.token_file.read_text().strip() if arguments.token_file else environment.get("COLDSTART_TOKEN")
        with Client(arguments.address, tls=tls, token=token, timeout_seconds=arguments.timeout_seconds) as client:
            answer = _ask(client, arguments)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=errors)
        return 2
    except CallFailed as error:
        print(f"error: {_message(error, arguments.address)}", file=errors)
        return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)
    print(json.dumps(as_plain(answer), indent=2) if arguments.json else shown(answer), file=output)
    return 0


def _ask(client: Client, arguments: argparse.Namespace) -> object:
    if arguments.command == "model":
        return client.model()
    if arguments.command == "outcome":
        return client.record_outcome(
            arguments.member,
            arguments.movie,
            rating=arguments.rating,
            completion=arguments.completion,
            happened_at=arguments.happened_at,
            request_id=arguments.request_id,
            rating_withdrawn=arguments.withdraw_rating,
        )
    if arguments.command == "predict":
        return client.predict(arguments.movies, **_member(arguments))
    if arguments.command == "explain":
        return client.explain(arguments.movie, **_member(arguments), suggest_next_fact=arguments.suggest_next_fact)
    filters: dict[str, Any] = {"genres": arguments.genre, "years": (arguments.from_year, arguments.to_year)}
    if arguments.command == "suggest":
        return client.suggest(**_member(arguments), size=arguments.size, movies=arguments.movies, **filters)
    return client.rank(**_member(arguments), page_size=arguments.page_size, page_token=arguments.page_token, **filters)


def _member(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what is known of the member as arguments of the client's methods."""
    return {
        "member_id": arguments.member,
        "attributes": dict(arguments.attribute) | dict(arguments.text),
        "plays": arguments.play,
        "ratings": arguments.rating,
    }


def _message(error: CallFailed, address: str) -> str:
    lines = [f"{violation.path}: {violation.rule}".removeprefix(": ") for violation in error.violations]
    text = "\n  ".join(["the request is wrong:", *lines]) if lines else str(error)
    if isinstance(error, Unreachable) and not error.reason:
        text = f"no answer from {address}: {text}"
    return f"{text} (try again in {error.retry_seconds:.1f} s)" if error.retry_seconds else text


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "coldstart-client", description="Call a coldstart service and print its response.", allow_abbrev=False
    )
    _add_connection(parser, environment)
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="predict|rank|suggest|explain|outcome|model"
    )
    predict = commands.add_parser("predict", help="predict how much a member enjoys movies")
    predict.add_argument("movies", nargs="+", metavar="MOVIE", help="ids of movies")
    rank = commands.add_parser("rank", help="the best movies for a member")
    rank.add_argument("--page-size", type=int, default=20, help="number of movies [default: 20]")
    rank.add_argument("--page-token", default="", help="next_page_token of the page before")
    suggest = commands.add_parser("suggest", help="which movies to ask a member to rate")
    suggest.add_argument("movies", nargs="*", metavar="MOVIE", help="ids of movies to choose from [default: all]")
    suggest.add_argument("--size", type=int, default=10, help="number of movies [default: 10]")
    for command in (rank, suggest):
        _add_filters(command)
    explain = commands.add_parser("explain", help="what each group of facts adds to a prediction")
    explain.add_argument("movie", metavar="MOVIE", help="id of a movie")
    explain.add_argument("--suggest-next-fact", action="store_true", help="which fact to ask the member for next")
    outcome = commands.add_parser("outcome", help="record what a member thought of a movie in the end")
    outcome.add_argument("movie", metavar="MOVIE", help="id of a movie")
    outcome.add_argument("--member", required=True, metavar="ID", help="the member's id")
    outcome.add_argument("--rating", type=float, help="rating that the member gave")
    outcome.add_argument("--withdraw-rating", action="store_true", help="the member takes the movie's rating back")
    outcome.add_argument("--completion", type=float, metavar="SHARE", help="share that was watched, 0 to 1")
    outcome.add_argument("--happened-at", type=datetime.fromisoformat, metavar="TIME", help="ISO 8601, else now")
    outcome.add_argument(
        "--request-id", default="", metavar="ID", help="idempotency key: an outcome is recorded once for each"
    )
    model = commands.add_parser("model", help="the model that serves")
    for command in (predict, rank, suggest, explain):
        _add_member(command)
    for command in (predict, rank, suggest, explain, outcome, model):
        _add_connection(command, environment, default=argparse.SUPPRESS)  # else it would replace one given before
    return parser


def _add_filters(command: argparse.ArgumentParser) -> None:
    command.add_argument("--genre", action="append", default=[], help="only movies of this genre; may be repeated")
    command.add_argument("--from-year", type=int, help="only movies released in this year or later")
    command.add_argument("--to-year", type=int, help="only movies released in this year or earlier")


def _add_member(command: argparse.ArgumentParser) -> None:
    member = command.add_argument_group("what is known of the member")
    member.add_argument("--member", default="", metavar="ID", help="id of a member published with the model")
    member.add_argument(
        "--attribute",
        action="append",
        default=[],
        type=_attribute,
        metavar="NAME=VALUE",
        help="a number, true or false, else a text; may be repeated",
    )
    member.add_argument(
        "--text",
        action="append",
        default=[],
        type=_text,
        metavar="NAME=VALUE",
        help="an attribute that is a text also where it looks like a number",
    )
    member.add_argument(
        "--play",
        action="append",
        default=[],
        type=_play,
        metavar="MOVIE[:SHARE]",
        help="a movie that was played, and the share that was watched, 0 to 1; may be repeated",
    )
    member.add_argument(
        "--rating",
        action="append",
        default=[],
        type=_rating,
        metavar="MOVIE:RATING",
        help="a movie that was rated, and its rating; may be repeated",
    )


def _add_connection(parser: argparse.ArgumentParser, environment: Mapping[str, str], **default: Any) -> None:
    """Add the options that may stand before the command or after it; `default` replaces their defaults."""
    connection = parser.add_argument_group("the service")
    address = environment.get("COLDSTART_ADDRESS", "127.0.0.1:50051")
    at, seconds = ({"default": own} | default for own in (address, TIMEOUT_SECONDS))
    connection.add_argument("--address", **at, help=f"[default: {address}; $COLDSTART_ADDRESS]")
    connection.add_argument("--timeout-seconds", type=float, **seconds, help="[default: 5]")
    connection.add_argument("--tls", action="store_true", **default, help="encrypt, and trust whom this machine trusts")
    connection.add_argument("--ca", type=Path, **default, help="encrypt, and trust these certificates (PEM)")
    connection.add_argument("--cert", type=Path, **default, help="the client's own certificate (PEM)")
    connection.add_argument("--key", type=Path, **default, help="its key (PEM)")
    connection.add_argument("--server-name", **default, help="the name that the server's certificate must have")
    connection.add_argument(
        "--token-file", type=Path, **default, help="a file with the bearer token [else: $COLDSTART_TOKEN]"
    )
    connection.add_argument("--json", action="store_true", **default, help="print JSON instead of a table")


def _text(given: str) -> tuple[str, str]:
    name, mark, value = given.partition("=")
    if not name or not mark:
        raise argparse.ArgumentTypeError("must be NAME=VALUE")
    return name, value


def _attribute(given: str) -> tuple[str, Attribute]:
    name, value = _text(given)
    if value in ("true", "false"):
        return name, value == "true"
    try:
        return name, float(value)
    except ValueError:
        return name, value


def _play(given: str) -> Play:
    movie_id, mark, share = given.rpartition(":")
    try:
        return Play(movie_id, float(share)) if mark else Play(given)
    except ValueError:
        return Play(given)


def _rating(given: str) -> Rating:
    movie_id, mark, rating = given.rpartition(":")
    try:
        if not movie_id or not mark:
            raise ValueError
        return Rating(movie_id, float(rating))
    except ValueError:
        raise argparse.ArgumentTypeError("must be MOVIE:RATING") from None


def command() -> int:
    """Run `main` with the process's arguments. An interrupt or a closed standard output causes no traceback."""
    try:
        try:
            return main(sys.argv[1:], os.environ, sys.stdout, sys.stderr)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 130  # 128 plus the number of SIGINT, as in shells
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the final flush would fail again
        return 1


if __name__ == "__main__":
    sys.exit(command())
