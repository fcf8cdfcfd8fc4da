"""A CSV file that another program wrote in its own way is refused with what to do about it."""

import pytest

from training.data.reading.tables import read_tables
from training.errors import DataError

HEADER = "member_id,age,gender\n"
ROW = 'r01,31,"Zoë"\n'


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ((HEADER + ROW).replace(",", ";").encode(), "its columns are separated by semicolons"),
        ((HEADER + ROW).replace(",", "\t").encode(), "its columns are separated by tabs"),
        ((HEADER + ROW).replace(",", "|").encode(), "its columns are separated by |"),
        (b"\xef\xbb\xbf" + b'"member_id";"age"\n1;2\n', "its columns are separated by semicolons"),
        ((HEADER + ROW).encode("utf-16"), "it is UTF-16 or no text: save it as CSV in UTF-8"),
        ((HEADER + ROW).encode("utf-16-le"), "it is UTF-16 or no text: save it as CSV in UTF-8"),
        ((HEADER + "x,1,F\n" + ROW).encode("latin-1"), "line 3 isn't UTF-8: save the file in UTF-8"),
        ((HEADER + ROW).replace("\n", "\r").encode(), "its lines end with a carriage return alone"),
        ((HEADER + ROW + "x,1,F,2\n").encode(), "line 3 has 4 fields, the header 3: quote values that hold commas"),
        ((HEADER + ROW + 'x,1,"F\n' + ROW).encode(), "line 3 has a double quote that isn't closed"),
        (b"", "members.csv is empty (0 bytes)"),
    ],
)
def test_a_file_in_another_form_of_csv_is_refused_with_the_remedy(write_data, contents, message):
    with pytest.raises(DataError) as raised:
        read_tables(write_data(members=contents))
    told = str(raised.value)
    assert told.startswith("members: can't be read: members.csv")
    assert message in told
    assert "\n" not in told
