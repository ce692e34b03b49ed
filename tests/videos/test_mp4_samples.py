"""Boxes of MP4 that claim millions of frames, in a few bytes."""

import struct
from pathlib import Path

import pytest

from numpyclip.errors import PictureError
from numpyclip.videos import mp4_samples
from numpyclip.videos.frames import frames
from numpyclip.videos.mp4_samples import claims_too_much
from tests.videos.made_videos import RED, scenes, write_video

FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


@pytest.fixture(params=[{}, FRAGMENTED, {"movflags": "faststart"}], ids=["whole", "fragmented", "faststart"])
def video(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_video(tmp_path / "a.mp4", scenes((2, RED)), gop=5, container_options=request.param)


def claims(path: Path) -> bool:
    with path.open("rb") as file:
        found = claims_too_much(file)
        assert file.tell() == 0
    return found


def test_a_video_that_claims_what_it_has_is_read(video: Path) -> None:
    assert not claims(video)
    assert len(list(frames(video, 32))) == 1


def test_millions_of_frames_without_a_byte_are_refused(video: Path) -> None:
    data = bytearray(video.read_bytes())
    if (place := data.find(b"trun")) > 0:
        struct.pack_into(">LL", data, place + 4, 1, 80_000_000)  # each as long as the default
    else:
        struct.pack_into(">LL", data, data.index(b"stsz") + 8, 1, 80_000_000)
    video.write_bytes(data)
    assert claims(video)
    with pytest.raises(
        PictureError, match=r"a\.mp4: cannot be read as a video \(it claims more frames than it has byt"
    ):
        list(frames(video, 32))


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L", 8 + len(content)) + kind + content


MANY = box(b"stsz", struct.pack(">LLL", 0, 1, 1 << 31))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (box(b"moov", box(b"trak", MANY)), True),
        (box(b"free", bytes(100)) + box(b"hoov", box(b"trak", MANY)), True),
        (struct.pack(">L4s", 0, b"moov") + MANY, True),
        (struct.pack(">L4sQ", 1, b"moov", 16 + len(MANY)) + MANY, True),
        (struct.pack(">L4s", 1 << 31, b"moov") + MANY, True),  # longer than the file
        (box(b"moov", box(b"cmov", b"")), True),
        (box(b"mdat", MANY), False),
        (struct.pack(">L4s", 4, b"moov") + MANY, False),  # where FFmpeg ends, too
        (b"", False),
        (b"\x1aE\xdf\xa3 no MP4", False),
    ],
)
def test_wherever_the_count_is(tmp_path: Path, content: bytes, expected: bool) -> None:
    (tmp_path / "a").write_bytes(content)
    assert claims(tmp_path / "a") == expected


def test_boxes_without_end_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mp4_samples, "_MOST_BOXES", 100)
    (tmp_path / "a").write_bytes(box(b"free", b"") * 101)
    assert claims(tmp_path / "a")
