"""Types that columns of a table may have, by the kind of their values."""

import polars as pl

ID_TYPES = "text or whole numbers"
NUMBER_TYPES = "numbers"
TIME_TYPES = "ISO 8601 text, seconds since 1970 or timestamps"
GENRES_TYPES = "a list of text, or text split by |"


def is_text(dtype: pl.DataType) -> bool:
    """Return whether the type holds text. Categorical and Enum do too: other tools use them for repeated text."""
    return dtype == pl.String or dtype == pl.Categorical or isinstance(dtype, pl.Enum)


def is_id(dtype: pl.DataType) -> bool:
    """Return whether a column of this type can hold ids, which are text or integers, or only nulls."""
    return is_text(dtype) or dtype.is_integer() or dtype == pl.Null


def is_number(dtype: pl.DataType) -> bool:
    """Return whether a column of this type can hold numbers, possibly written as text, or only nulls."""
    return dtype.is_numeric() or is_text(dtype) or dtype == pl.Null


def is_time(dtype: pl.DataType) -> bool:
    """Return whether a column of this type can hold times."""
    return is_number(dtype) or dtype == pl.Datetime or dtype == pl.Date


def is_genres(dtype: pl.DataType) -> bool:
    """Return whether a column of this type can hold genres: text, or lists of text or of structs with a text `name`."""
    if not isinstance(dtype, (pl.List, pl.Array)):
        return is_text(dtype) or dtype == pl.Null
    name = name_type(dtype)
    return name is not None and (is_text(name) or name == pl.Null)


def name_type(dtype: pl.List | pl.Array) -> pl.DataType | None:
    """Return the type of the names in a list: of its elements, or of the field `name` of structs; None if it lacks."""
    inner = dtype.inner
    # types of columns are instances, not classes
    return inner.to_schema().get("name") if isinstance(inner, pl.Struct) else inner  # type: ignore[return-value]
