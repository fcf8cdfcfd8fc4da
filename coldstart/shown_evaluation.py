"""An evaluation of predictions as if members never rated, which shows itself in a notebook as the report's page."""

import json
from html import escape
from pathlib import Path
from typing import Any

import polars as pl

from coldstart.frames import FrameKind, from_polars
from training.report.section import EVIDENCE

SHOWN_HEIGHT = 720
"""Height of the page in a notebook, in pixels."""


class Evaluation:
    """How good predictions are for raters who were held out, by what is known of them, beside simpler predictions."""

    def __init__(self, report: dict[str, Any], page: str, frames: FrameKind) -> None:
        self.report = report
        """All numbers, as in report.json."""
        self._page, self._frames = page, frames

    @classmethod
    def read(cls, report: Path, page: Path, frames: FrameKind) -> "Evaluation":
        """Read an evaluation from report.json and report.html."""
        content = json.loads(report.read_text(encoding="utf-8"))
        return cls(content, page.read_text(encoding="utf-8"), frames)

    @property
    def scores(self) -> Any:
        """A frame with a row for each kind of evidence and a column for each score, such as `rmse` and `coverage`."""
        return from_polars(self._scores(), self._frames)

    def save(self, path: str | Path) -> None:
        """Write the report's page as one HTML file."""
        Path(path).write_text(self._page, encoding="utf-8")

    def _scores(self) -> pl.DataFrame:
        rows = self.report["evidence"]
        return pl.DataFrame(
            [{"known": kind.replace("_", " "), **dict(sorted(rows[kind].items()))} for kind in EVIDENCE if kind in rows]
        )

    def __repr__(self) -> str:
        table = self._scores().select("known", "rmse", "movie_mean_rmse", "gain_percent", "coverage")
        with pl.Config(tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True, tbl_rows=-1, float_precision=4):
            return f"coldstart evaluation as never-raters\n{table}"

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own, so that its styles and the notebook's don't mix."""
        style = f"width:100%;height:{SHOWN_HEIGHT}px;border:0"
        return f'<iframe srcdoc="{escape(self._page)}" sandbox="" style="{style}" title="evaluation"></iframe>'
