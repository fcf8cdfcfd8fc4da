"""Plain tables for a terminal."""

from collections.abc import Iterable, Sequence


def plain_table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as they need; numbers with two decimals, to the right."""
    lines = [[*titles], *([_cell(value) for value in row] for row in rows)]
    right = [all(_is_number(line[place]) for line in lines[1:]) for place in range(len(titles))]
    widths = [max(len(line[place]) for line in lines) for place in range(len(titles))]
    return "\n".join(
        "  " + "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )  # fmt: skip


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").removeprefix("-").removeprefix("+").isdigit() or not cell
