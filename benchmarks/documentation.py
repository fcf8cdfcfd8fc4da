"""`make docs`: renews the tables of the documentation that come from the code."""

from collections.abc import Callable, Mapping
from pathlib import Path

from service.settings import settings_table
from service.telemetry.metric_definitions import metrics_table
from training.data.reading.schema_file import schema_table
from training.gate.gate_settings import gate_table
from training.settings import fit_settings_table

ROOT = Path(__file__).parents[1]
DOCUMENTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "docs/settings.md": {"settings": settings_table},
    "docs/data.md": {"schema.toml": schema_table},
    "docs/metrics.md": {"metrics": metrics_table},
    "docs/retrain.md": {"gate": gate_table},
    "docs/training.md": {"fit settings": fit_settings_table},
}
"""The tables of each document, which stand there between `<!-- NAME -->` and `<!-- /NAME -->`."""


def renewed(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """A document with current tables; raises ValueError where the marks of one are missing."""
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        _, mark, after = rest.partition(end)
        if not mark:
            raise ValueError(f"the document lacks the marks of the table of {name}")
        text = f"{before}{begin}\n{table()}\n{end}{after}"
    return text


if __name__ == "__main__":
    for path, tables in DOCUMENTS.items():
        (ROOT / path).write_text(renewed((ROOT / path).read_text(encoding="utf-8"), tables), encoding="utf-8")
