"""Formats responses as aligned text for the terminal."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from coldstart_client.answers import (
    Attribute,
    Explanation,
    NextFact,
    Predictions,
    Ranking,
    Recorded,
    ServedModel,
    Suggestions,
    Unused,
)

NUMBERS = frozenset("0123456789.,+-%")


def shown(answer: object) -> str:
    """Format a response of the service as text for the terminal. Raises TypeError for an unknown type."""
    match answer:
        case Predictions():
            return _predictions(answer)
        case Suggestions():
            return _suggestions(answer)
        case Explanation():
            return _explanation(answer)
        case ServedModel():
            return _model(answer)
        case Recorded():
            recorded = "had been recorded before" if answer.duplicate else "is recorded"
            return f"outcome {answer.request_id} {recorded}{', and counts already' if answer.counts_already else ''}"
    raise TypeError(type(answer).__name__)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table with aligned columns. Columns of numbers are right-aligned."""
    lines = [list(titles), *map(list, rows)]
    right = [all(NUMBERS.issuperset(line[place]) for line in lines[1:]) for place in range(len(titles))]
    widths = [max(len(line[place]) for line in lines) for place in range(len(titles))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def _predictions(answer: Predictions) -> str:
    titled = any(prediction.title for prediction in answer)
    titles = ("movie", *(["title"] if titled else []), "rating", "lower", "upper", "enjoys", "the movie is")
    rows = [
        (
            prediction.movie_id,
            *([prediction.title] if titled else []),
            f"{prediction.rating:.2f}",
            f"{prediction.lower:.2f}",
            f"{prediction.upper:.2f}",
            f"{prediction.probability_enjoyed:.0%}",
            prediction.movie_evidence,
        )
        for prediction in answer
    ]
    lines = [table(titles, rows), "", _foot(answer.member_evidence, answer.model_version, answer.unused)]
    if isinstance(answer, Ranking) and answer.next_page_token:
        lines.append(f"next page: --page-token {answer.next_page_token}")
    return "\n".join(lines)


def _suggestions(answer: Suggestions) -> str:
    titled = any(movie.title for movie in answer)
    titles = ("movie", *(["title"] if titled else []), "has seen it", "width expected then")
    rows = [
        (
            movie.movie_id,
            *([movie.title] if titled else []),
            f"{movie.probability_seen:.0%}",
            f"{movie.expected_width:.3f}",
        )
        for movie in answer
    ]
    width = f"the catalogue's intervals are {answer.current_width:.3f} wide now"
    return "\n".join(
        [table(titles, rows), "", width, _foot(answer.member_evidence, answer.model_version, answer.unused)]
    )


def _explanation(answer: Explanation) -> str:
    prediction = answer.prediction
    rows = [(f"{part.rating:+.2f}", part.group, part.description) for part in answer.parts]
    before, after = f"{answer.rating_before_cut:.2f}", f"{prediction.rating:.2f}"
    cut = "" if before == after else f", cut to the scale {after}"
    interval = f"from {prediction.lower:.2f} to {prediction.upper:.2f} in nine cases of ten"
    enjoys = f"enjoyed with a probability of {prediction.probability_enjoyed:.0%}"
    name = f"{prediction.movie_id}, {prediction.title}" if prediction.title else prediction.movie_id
    known = ["the model knows nothing of this movie: it is predicted like any movie"]
    return "\n".join(
        (
            f"{name}: {prediction.rating:.2f}, {interval}; {enjoys}",
            *(known if prediction.movie_evidence == "unknown" else []),
            "",
            table(("adds", "group", "what it is"), rows),
            "",
            f"together {before}{cut}",
            *([] if answer.next_fact is None else [_next_fact(answer.next_fact)]),
            _foot(answer.member_evidence, answer.model_version, answer.unused),
        )
    )


def _next_fact(fact: NextFact) -> str:
    what = f"the attribute {fact.attribute}" if fact.plays is None else f"{fact.plays} further plays"
    return (
        f"ask next for {what}: the interval is expected to be {fact.expected_width:.2f} wide, "
        f"now it is {fact.current_width:.2f}"
    )


def _model(answer: ServedModel) -> str:
    low, high = answer.scale
    lines = [
        f"version {answer.model_version}, trained {answer.trained_at:%Y-%m-%d %H:%M} UTC, seed {answer.seed}",
        "data: " + ", ".join(f"{count:,} {name}" for name, count in answer.data.items()),
        f"ratings from {low:g} to {high:g}, enjoyed from {answer.enjoyed_from:g}",
        "attributes of members: " + (", ".join(map(_attribute, answer.member_attributes)) or "none"),
        "attributes of movies: " + (", ".join(map(_attribute, answer.movie_attributes)) or "none"),
        "genres: " + (", ".join(answer.genres) or "none"),
    ]
    names = list(dict.fromkeys(name for scores in answer.scores.values() for name in scores))
    rows = [
        (name, *(f"{scores[name]:.4f}" if name in scores else "" for scores in answer.scores.values()))
        for name in names
    ]
    return "\n".join([*lines, "", table(("score, by what is known", *answer.scores), rows)] if rows else lines)


def _attribute(attribute: Attribute) -> str:
    return f"{attribute.name} ({attribute.kind})"


def _foot(member_evidence: str, version: str, unused: Unused) -> str:
    """Format what was known of the member and the model version, and, on a second line, what couldn't be used."""
    counts = asdict(unused)
    missing = counts.pop("stored_facts_may_be_missing")
    ignored = [f"{name.replace('_', ' ')}: {'yes' if count is True else count}"
               for name, count in counts.items() if count]  # fmt: skip
    lines = [f"rests on {member_evidence}; model {version}"]
    if ignored:
        lines.append(f"not used: {', '.join(ignored)}")
    if missing:
        lines.append("facts stored of the member may be missing: the service's store of members fails or lacks ratings")
    return "\n".join(lines)
