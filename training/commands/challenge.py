"""`training challenge`: make a challenge from a data directory, answer a challenge, or score answers."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from features.columns import MEMBER_ID
from model.exit_codes import ExitCode
from training.challenge import leaderboard
from training.challenge.answer import answers_of
from training.challenge.make import DATA, PUBLIC, make_challenge, write_challenge
from training.challenge.score import ALL, read_answers, read_key, read_questions, score
from training.commands.terminal import add_member_key, member_key
from training.data.files.remote_folder import data_place
from training.data.reading.tables import temporary_tables
from training.data.writer import refuse_unwritable_table, write_table
from training.errors import DataError, Problem
from training.report.markdown import table_markdown
from training.versions.serving import open_serving


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of each action of `training challenge`."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    make = actions.add_parser("make", help="hold out raters and make questions of their ratings")
    make.add_argument("--data", type=data_place, required=True, help="data directory to make the challenge from")
    add_member_key(make)
    make.add_argument("--out", type=Path, required=True, help="new folder for the challenge")
    make.add_argument("--share", type=_share, default=0.2, help="share of the raters to hold out (default 0.2)")
    make.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default 0)")
    make.set_defaults(action=_make)
    answer = actions.add_parser("answer", help="answer the questions with the current model of a store")
    answer.add_argument("--challenge", type=Path, required=True, help="the challenge's folder")
    answer.add_argument("--models", required=True, help="folder or address of a store of models")
    answer.add_argument("--out", type=Path, required=True, help="file to write: .parquet or .csv")
    answer.set_defaults(action=_answer)
    scoring = actions.add_parser("score", help="score answers and enter them on the leaderboard")
    scoring.add_argument("--challenge", type=Path, required=True, help="the challenge's folder")
    scoring.add_argument(
        "--answers", type=Path, required=True, help="file with the columns question and rating: .csv or .parquet"
    )
    scoring.add_argument("--name", help="name for the leaderboard; without a name, the answers aren't entered")
    scoring.add_argument("--final", action="store_true", help="also score the test")
    scoring.set_defaults(action=_score)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Run the chosen action: make a challenge, answer it or score answers.

    Raises DataError if an input is invalid, and ServingModelError if there is no model that can answer.
    """
    arguments.action(arguments)
    return ExitCode.DONE


def _make(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError([Problem(str(out), "is there already: name a new folder")])
    with temporary_tables(arguments.data, member_key(arguments)) as tables:
        challenge = make_challenge(tables, arguments.share, np.random.default_rng([arguments.seed, 30]))
        write_challenge(out.resolve(), challenge, tables.scale, {"seed": arguments.seed, "share": arguments.share})
    questions, members = len(challenge.answers), challenge.answers[MEMBER_ID].n_unique()
    print(f"{out.resolve()} asks {questions:,} questions about {members:,} members; give away {PUBLIC}/ only")


def _answer(arguments: argparse.Namespace) -> None:
    refuse_unwritable_table("--out", arguments.out)
    questions = read_questions(arguments.challenge)
    with temporary_tables(arguments.challenge / PUBLIC / DATA) as tables:
        model = open_serving(arguments.models)
        write_table(arguments.out, [answers_of(model, tables, questions)])
    print(f"{len(questions):,} answers by version {model.version}")


def _score(arguments: argparse.Namespace) -> None:
    key = read_key(arguments.challenge)
    name = leaderboard.clean(arguments.name) if arguments.name is not None else None
    ratings = read_answers(arguments.answers, key)
    scores = {part: score(key, ratings, part) for part in ("quiz", *(["test"] if arguments.final else []))}
    for part, by_evidence in scores.items():
        total = by_evidence[ALL]
        print(f"{part}: RMSE {total['rmse']:.4f}, {total['improvement_percent']:+.2f} % over the movie mean")
        for kind, row in by_evidence.items():
            print(
                f"  {kind:<20}  {row['questions']:>9,.0f} questions  RMSE {row['rmse']:.4f}  movie mean "
                f"{row['movie_mean_rmse']:.4f}  {row['improvement_percent']:+.2f} %"
            )
    if name is not None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = leaderboard.entry_of(name, now, scores["quiz"], scores.get("test"))
        print(f"\n{table_markdown(leaderboard.board(leaderboard.enter(arguments.challenge, entry)))}")


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share <= 0.5:
        raise argparse.ArgumentTypeError("must be above 0 and at most 0.5")
    return share
