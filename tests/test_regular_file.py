"""Opening regular files, and nothing else."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from numpyclip.regular_file import open_regular

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no such files")


def test_a_regular_file_and_a_link_to_one_are_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"content"
            assert not os.get_inheritable(file.fileno())


def test_anything_else_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path)  # the path of a socket has at most 100 letters
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("socket")
        for name, kind in {"pipe": "a named pipe", "zeros": "a device", "socket": "a socket", ".": "a folder"}.items():
            with pytest.raises(OSError, match=f"it is {kind}; expected a regular file") as caught:
                open_regular(name)
            assert caught.value.filename == name


def test_a_pipe_that_takes_its_place_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    regular = (tmp_path / "file").stat()
    monkeypatch.setattr(Path, "stat", lambda path, **_: regular)
    with pytest.raises(OSError, match="it is a named pipe"):
        open_regular(tmp_path / "pipe")
