"""Files that are no videos, or not only: what is refused, and what is never opened."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import MissingPackageError, PictureError
from numpyclip.videos.container import is_video_name, opened
from numpyclip.videos.frames import frames
from numpyclip.videos.video_options import VideoOptions
from tests.videos.made_videos import RED, scenes, write_video


def test_names() -> None:
    assert all(map(is_video_name, ("a.mp4", "B.MOV", "c.d.webm")))
    assert not any(map(is_video_name, ("a.ts", "mp4", "a.gif", "a.mp4.txt", "a.jpg")))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 5000,
        b"no video",
        b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nother.mkv\n#EXT-X-ENDLIST\n",
        b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n",
        b"ffconcat version 1.0\nfile other.mkv\n",
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
        b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
    ],
)
def test_what_is_no_video_is_refused_and_names_no_other_file(tmp_path: Path, content: bytes) -> None:
    write_video(tmp_path / "other.mkv", scenes((1, RED)))
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(PictureError, match=r"a\.mp4: "):
        list(frames(path, 32))


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.mp4", "http://127.0.0.1:9/a.mp4", "concat:a.mp4|b.mp4", "\0"):
        with pytest.raises(PictureError, match="cannot be read as a video"):
            list(frames(path, 32))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "a.mp4")
        with pytest.raises(PictureError, match="named pipe"):
            list(frames(tmp_path / "a.mp4", 32))


def test_sound_alone_has_no_pictures(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 44100, 0, Fraction(1, 44100)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(PictureError, match="has no video stream, only sound"):
        list(frames(path, 32))


def test_a_video_without_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", scenes((1, RED)), codec="mpeg4")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])  # up to the first cluster
    with pytest.raises(PictureError, match=r"a\.mkv: "):
        list(frames(path, 32))


def test_codecs_are_those_of_a_list(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", scenes((1, RED)), codec="ffv1")
    with pytest.raises(PictureError, match="is encoded as ffv1; expected one of h264"):
        list(frames(path, 32))


def test_without_the_package_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingPackageError, match=r'pip install "numpyclip\[video\]"'), opened("a.mp4", VideoOptions()):
        pass
