"""`make docs`: renews the tables of the README that come from the code."""

from pathlib import Path

from service.metrics import metrics_table
from service.settings import settings_table

README = Path(__file__).parents[1] / "README.md"
TABLES = {"settings": settings_table, "metrics": metrics_table}
"""What stands between `<!-- NAME -->` and `<!-- /NAME -->`."""


def renewed(text: str) -> str:
    """The README with current tables; raises ValueError where the marks of one are missing."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        _, mark, after = rest.partition(end)
        if not mark:
            raise ValueError(f"the README lacks the marks of the table of {name}")
        text = f"{before}{begin}\n{table()}\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(renewed(README.read_text(encoding="utf-8")), encoding="utf-8")
