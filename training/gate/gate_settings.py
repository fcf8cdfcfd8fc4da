"""What the gate asks of a version before it serves."""

import argparse
import ast
import inspect
from dataclasses import dataclass, fields

PREFIX = "gate_"
MOST_SHARE = 0.5
"""To keep out more would be to learn from the minority."""


@dataclass(frozen=True)
class GateSettings:
    """Limits of the gate; each is an option of `training retrain`, as `--gate-share`."""

    share: float = 0.05
    """Share of the raters whom no version learns from, so that versions can be compared on them; 0 keeps out nobody."""
    key: str = ""
    """Which raters these are follows from this text; the store keeps it, so that all versions leave out the same."""
    margin_percent: float = 1.0
    """A version may have an RMSE so much higher than that of the one that serves, in percent of it."""
    fewest_members: int = 30
    """With fewer kept-out raters to judge by, versions aren't compared, and limits are held to out-of-fold scores."""
    most_members: int = 1000
    """Of more kept-out raters, so many are judged by, always the same."""
    least_gain_over_mean_percent: float = 1.0
    """The RMSE, out of fold also the prior's own, must be so many percent below that of the mean of all ratings, with
    the most evidence."""
    most_above_movie_mean_percent: float = 1.0
    """The RMSE must not be higher than so much above that of the movie mean, in percent, whatever is known."""
    least_gain_kept: float = 0.5
    """The gain over the movie mean must not be surely less than this share of the gain of the version that serves."""
    least_coverage: float = 0.85
    """Share of ratings that must lie within their 90 % interval."""
    most_coverage: float = 0.97
    """Share of ratings that may lie within intervals which are wider than the movie mean's, and so say too little."""
    most_calibration_error: float = 0.05
    """Calibration error of the probability to enjoy, beyond what chance gives with so few ratings."""
    most_fallbacks: float = 0.1
    """Share of predictions that may have to do with less than is known, or be of a movie that nobody rated."""
    most_latency_ratio: float = 2.0
    """A request may take so many times as long as with the version that serves."""
    most_milliseconds: float = 50.0
    """A request for 20 movies may take so long, measured in the job's own process."""
    most_size_ratio: float = 3.0
    """The files may be so many times as large as those of the version that serves."""
    most_megabytes: float = 4000.0
    """The files may be so large."""

    def __post_init__(self) -> None:
        """Raises ValueError that names the option for a share that can't be one."""
        if not 0 <= self.share <= MOST_SHARE:
            raise ValueError(f"--gate-share must be 0 to {MOST_SHARE:g}")


def add_gate_arguments(parser: argparse.ArgumentParser) -> None:
    """An option for each setting, and --force."""
    group = parser.add_argument_group("the gate", "what is asked of a version before it serves")
    sentences = _sentences()
    for field in fields(GateSettings):
        default = "" if field.default == "" else f" (default {field.default})"
        group.add_argument(
            flag(field.name), type=type(field.default), default=field.default, metavar="VALUE",
            help=sentences[field.name].replace("%", "%%") + default,
        )  # fmt: skip
    group.add_argument("--force", action="store_true", help="let the version serve though the gate says no")


def gate_settings(arguments: argparse.Namespace) -> GateSettings:
    """The settings that the options say; raises ValueError for a share that can't be one."""
    return GateSettings(**{field.name: getattr(arguments, PREFIX + field.name) for field in fields(GateSettings)})


def gate_table() -> str:
    """All settings as a Markdown table."""
    sentences = _sentences()
    rows = [f"| `{flag(field.name)}` | `{field.default}` | {sentences[field.name]} |" for field in fields(GateSettings)]
    return "\n".join(["| option | default | meaning |", "| --- | --- | --- |", *rows]).replace("| `` |", "| |")


def flag(name: str) -> str:
    """The option of a setting."""
    return f"--{PREFIX}{name}".replace("_", "-")


def _sentences() -> dict[str, str]:
    """The sentence below each field, from the class's own source."""
    definition = ast.parse(inspect.getsource(GateSettings)).body[0]
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 # that is what the source of a class is
    sentences = {}
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            sentences[field.target.id] = inspect.cleandoc(str(getattr(text.value, "value", "")))
    return sentences
