import gzip

import pytest

from fewshot_core.documents import read_csv_text
from fewshot_core.errors import SelectionError


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_cells_come_with_their_lines_and_without_blanks(tmp_path, name):
    path = tmp_path / name
    content = 'a, b\r\n\r\n 1 ,"two, or\r\n 2"\r\n,\r\n3,\r\n'.encode("utf-8-sig")
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    text = read_csv_text(path, 100, SelectionError)
    assert text.header == ["a", "b"]
    assert text.rows == [["1", "two, or\r\n 2"], ["3", ""]]
    assert text.lines == [4, 6] and text.place(1) == f"{name}, line 6"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"t\.csv has no rows; expected a header"),
        (b"a,b\n", r"t\.csv has no rows"),
        (b"a,b,a\n1,2,3\n", "line 1: expected the column 'a' once, got it 2 times"),
        (b"a,b\n1,2\n\n1\n", "line 4: expected 2 cells, as in the header, got 1"),
        (b"a\n1\n\xe9\n", "cannot be read .line 3: expected text in UTF-8, got the byte 0xe9"),
        (b'a\n1\n"2\n', "cannot be read .line 3: expected cells separated by commas"),
        (b"a\n" * 60, r"cannot be read \(t\.csv holds more than"),
    ],
)
def test_another_file_is_refused_by_line(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(SelectionError, match=message):
        read_csv_text(path, 100, SelectionError)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SelectionError, match=r"t\.csv cannot be read"):
        read_csv_text(tmp_path / "t.csv", 100, SelectionError)
