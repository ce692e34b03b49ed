"""Videos that are made to take time or memory, or to confuse: each ends soon, with frames or an error."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import PictureError
from numpyclip.videos.frames import frame_at, frames
from numpyclip.videos.video_exif import read_video_exif
from numpyclip.videos.video_options import VideoOptions
from tests.videos.made_videos import BLUE, GREEN, RED, plain, scenes, write_video


def times(path: Path, **options: Any) -> list[float]:
    return [seconds for seconds, _ in frames(path, 32, VideoOptions(**options))]


def write_packets(path: Path, shown: list[tuple[float, float]]) -> Path:
    """Write keyframes with these presentation and decoding times."""
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 96, 64, "yuv420p", 1
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number, (presented, decoded) in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(plain((30 * number, 0, 0)))
            frame.pts, frame.time_base = number, Fraction(1, 1000)
            for packet in stream.encode(frame):
                packet.pts, packet.dts = round(presented * 1000), round(decoded * 1000)
                container.mux(packet)
    return path


@pytest.mark.parametrize(
    "presented", [[-3, -2, -1, 0, 1, 2], [5, 4, 3, 2, 6, 8], [0, 1, 1e10, 2, 3], [0, 0, 0, 0], [1e10, 0]]
)
def test_times_ascend_whatever_those_of_the_file_do(tmp_path: Path, presented: list[float]) -> None:
    path = write_packets(tmp_path / "a.mkv", [(seconds, -4 + n / 10) for n, seconds in enumerate(presented)])
    assert times(path) == sorted({*times(path)}) != []
    assert times(path)[0] >= 0
    assert frame_at(path, 1, 32).size == (48, 32)


def test_a_duration_that_is_absurd_is_none(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", scenes((4, RED), (4, GREEN)), gop=5, codec="mpeg4")
    whole = times(path)
    data = bytearray(path.read_bytes())
    place = data.index(b"\x44\x89\x88") + 3
    struct.pack_into(">d", data, place, 1e18)
    path.write_bytes(data)
    assert read_video_exif(path).duration is None
    assert times(path) == whole
    assert len(whole) > 2


@pytest.mark.parametrize("size", [(30_000, 30_000), (65_535, 65_535)])
def test_frames_that_are_too_large_are_not_decoded(tmp_path: Path, size: tuple[int, int]) -> None:
    path = write_video(tmp_path / "a.mp4", scenes((1, RED)), codec="mjpeg", pix_fmt="yuvj420p")
    data = path.read_bytes().replace(struct.pack(">HH", 64, 96), struct.pack(">HH", *size))
    path.write_bytes(data.replace(struct.pack(">HH", 96, 64), struct.pack(">HH", *size)))
    for read in (times, lambda path: frame_at(path, 0.5, 32)):
        with pytest.raises(PictureError, match=r"a\.mp4: has no frame .*that can be decoded"):
            read(path)


def test_a_video_that_is_cut_off(tmp_path: Path) -> None:
    shown = scenes((4, RED), (4, GREEN))
    path = write_video(tmp_path / "a.mp4", shown, gop=5)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"moov") - 4])  # which is behind the frames
    with pytest.raises(PictureError, match=r"a\.mp4: cannot be read as a video"):
        times(path)
    path = write_video(tmp_path / "b.mp4", shown, gop=5, container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[:-100])
    assert times(path)[0] == 0


def test_of_many_streams_the_first_with_pictures_is_read(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        sounds: list[Any] = [container.add_stream("pcm_s16le", rate=8000) for _ in range(50)]
        videos: list[Any] = [container.add_stream("mpeg4", rate=5) for _ in range(50)]
        for stream in videos:
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number, stream in enumerate(videos):
            frame = av.VideoFrame.from_ndarray(plain(BLUE if number == 0 else RED))
            container.mux([*stream.encode(frame), *stream.encode(None)])
        for stream in sounds:
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
            sound.sample_rate = 8000
            container.mux(stream.encode(sound))
    ((seconds, image),) = frames(path, 32)
    assert (seconds, image.size) == (0, (48, 32))
    np.testing.assert_allclose(np.asarray(image)[5, 5], BLUE, atol=8)


def test_subtitles_are_passed_over(tmp_path: Path) -> None:
    import av

    (tmp_path / "a.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nwords\n\n", "utf-8")
    source = write_video(tmp_path / "a.mp4", scenes((1, RED)), codec="mpeg4")
    path = tmp_path / "b.mkv"
    with av.open(str(tmp_path / "a.srt")) as texts, av.open(str(source)) as pictures, av.open(str(path), "w") as both:
        pairs = [(each, both.add_stream_from_template(each.streams[0])) for each in (texts, pictures)]
        for each, stream in pairs:
            for packet in each.demux():
                if packet.size:  # not the mark of the end
                    packet.stream = stream
                    both.mux(packet)
    assert times(path) == [0]
