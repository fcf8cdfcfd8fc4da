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
        ((HEADER + ROW + 'x,1,7" single\n' + ROW).encode(), "line 3 has a single double quote"),
        ((HEADER + ROW + "r02,3").encode(), "its last line has 2 of 3 fields: it may be cut short"),
        ((HEADER + ROW + "(1 row)\n").encode(), "its last line has 1 of 3 fields"),
        ((HEADER + ROW + "\x1a").encode(), "its last line has 1 of 3 fields"),
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


@pytest.mark.parametrize("end", ["r02,32", "r02,32,F", "r02,32,F\r\n", 'r02,32,"two\nlines"', "r02,32\n"])
def test_other_ends_of_a_file_pass(write_data, end):
    rows = HEADER + "".join(f"r{place:02},31,F\n" for place in range(25) if place != 2)
    contents = rows + end if end != "r02,32" else rows + end + ",\n"
    assert len(read_tables(write_data(members=contents.encode())).members) == 25
