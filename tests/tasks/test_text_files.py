from pathlib import Path

import pytest

from numpyclip.errors import InputError
from numpyclip.tasks.text_files import read_lines, read_text


def test_marks_line_ends_and_empty_lines_are_no_content(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes("\ufeffdog\r\n\r\n  caf\u00e9 \n\t\nlast".encode())
    assert read_lines(file) == ["dog", "caf\u00e9", "last"]


def test_what_is_no_text_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes(b"dog\ncat\ncaf\xe9\n")
    with pytest.raises(InputError, match=r"labels.txt: line 3 is not UTF-8"):
        read_text(file)
    with pytest.raises(InputError, match=r"nowhere: cannot be read \(No such file"):
        read_text(tmp_path / "nowhere")


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "film.mkv"
    with file.open("wb") as stream:
        stream.truncate(2**30)
    with pytest.raises(InputError, match="more than 64 MiB"):
        read_text(file)
