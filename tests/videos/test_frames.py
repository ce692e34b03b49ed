"""Which frames of a video are taken: their times and colours."""

import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import PictureError
from numpyclip.videos import frames as module
from numpyclip.videos.frame_image import image_of
from numpyclip.videos.frames import frame_at, frames
from numpyclip.videos.video_options import VideoOptions
from tests.videos.made_videos import BLUE, GREEN, RED, WHITE, plain, scenes, write_video

THREE = scenes((4, RED), (7, GREEN), (3, BLUE))


def seen(path: Path, **options: Any) -> list[tuple[float, tuple[int, ...]]]:
    """Times, and the colours that are nearest to those of the frames."""
    known = np.array([RED, GREEN, BLUE, WHITE])
    found = []
    for seconds, image in frames(path, 32, VideoOptions(**options)):
        colour = np.asarray(image).reshape(-1, 3).mean(0)
        found.append((seconds, tuple(known[np.abs(known - colour).sum(1).argmin()].tolist())))
    return found


@pytest.mark.parametrize(
    ("codec", "suffix"), [("libx264", ".mp4"), ("mpeg4", ".avi"), ("libvpx", ".webm"), ("mpeg4", ".mkv")]
)
@pytest.mark.parametrize("gop", [1, 7, 10_000])
def test_each_scene_is_seen_and_no_time_is_long_without_a_frame(
    tmp_path: Path, codec: str, suffix: str, gop: int
) -> None:
    found = seen(write_video(tmp_path / f"a{suffix}", THREE, codec=codec, gop=gop))
    times = [seconds for seconds, _ in found]
    assert times[0] == 0
    assert max(later - earlier for earlier, later in itertools.pairwise([*times, 14.0])) <= 5
    assert list(dict.fromkeys(colour for _, colour in found)) == [RED, GREEN, BLUE]
    expected = [RED if seconds < 4 else GREEN if seconds < 11 else BLUE for seconds in times]
    assert [colour for _, colour in found] == expected  # the times are those of the frames
    assert any(4 <= seconds <= 4.5 for seconds in times) or gop == 7  # keyframes only: at the next one
    assert len(found) <= 9


def test_groups_that_are_short_are_seen_by_their_keyframes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Any] = []
    theirs = module._frames_of

    def counted(packet: Any, *rest: Any) -> list[Any]:
        decoded.append(packet)
        return theirs(packet, *rest)

    monkeypatch.setattr(module, "_frames_of", counted)
    path = write_video(tmp_path / "a.mp4", THREE, gop=5)
    assert [seconds for seconds, _ in seen(path)] == [0, 3, 4, 7, 10, 11]
    assert len(decoded) == 14 + 1  # a second each, and what the decoder holds
    decoded.clear()
    seen(write_video(tmp_path / "b.mp4", THREE, gop=10_000))
    assert len(decoded) == len(THREE) + 1


def test_times_are_exact_where_frames_are_uneven(tmp_path: Path) -> None:
    shown = [(0.0, plain(RED)), (0.04, plain(RED)), (3.317, plain(GREEN)), (3.4, plain(GREEN)), (9.998, plain(BLUE))]
    path = write_video(tmp_path / "a.mkv", shown, gop=1)
    assert seen(path) == [(0.0, RED), (3.317, GREEN), (9.998, BLUE)]


def test_the_first_frame_of_a_video_that_begins_late_is_at_zero(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", [(seconds + 7, pixels) for seconds, pixels in scenes((1, RED))])
    assert seen(path) == [(0.0, RED)]


def test_limits(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", THREE)
    few = seen(path, max_frames=3)
    assert [colour for _, colour in few] == [RED, GREEN, GREEN]
    assert few[-1][0] > 9  # they are spread over the video
    assert len(seen(path, every=1)) > len(seen(path, every=10)) >= 3
    with pytest.raises(PictureError, match=r"a\.mp4: has frames of 96 x 64 pixels; expected at most 6143"):
        seen(path, max_pixels=96 * 64 - 1)
    with pytest.raises(PictureError, match=r"no frame that can be decoded \(decoding takes more than 1e-09 s"):
        seen(path, max_seconds=1e-9)


def test_what_takes_too_long_is_left_out_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr("numpyclip.videos.frames.time.perf_counter", lambda: float(next(clock)))
    path = write_video(tmp_path / "a.mp4", THREE, gop=5)
    with pytest.warns(UserWarning, match=r"a\.mp4: decoding takes more than 40 s; the rest is left out"):
        found = seen(path, max_seconds=40)
    assert found[0] == (0.0, RED)
    assert found[-1][0] < 11


@pytest.mark.parametrize("suffix", [".mkv", ".avi"])
def test_of_a_video_that_is_cut_short_the_rest_is_taken(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"a{suffix}", THREE, codec="mpeg4", gop=5)
    whole = seen(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert seen(path) == whole[: len(seen(path))] != []


def test_damaged_packets_are_passed_over(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", [(n / 5, noise(n)) for n in range(70)], codec="mpeg4", gop=5)
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 3, len(data) // 2, 100):
        data[place] ^= 0xFF
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        times = [seconds for seconds, _ in frames(path, 32)]
    assert len(times) >= 3
    assert times == sorted(times)


def noise(seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 255, (64, 96, 3), dtype=np.uint8)


def test_a_moment_is_the_frame_that_is_shown_then(tmp_path: Path) -> None:
    for gop, suffix in itertools.product((1, 7, 10_000), (".mp4", ".mkv", ".m2ts")):
        path = write_video(tmp_path / f"a{suffix}", THREE, gop=gop)
        for seconds, colour in ((0, RED), (3.99, RED), (4.0, GREEN), (10.9, GREEN), (11.1, BLUE), (99, BLUE)):
            pixel = np.asarray(frame_at(path, seconds, 32))[5, 5]
            np.testing.assert_allclose(pixel, colour, atol=8, err_msg=f"{suffix} {gop} {seconds}")


def test_memory_is_that_of_a_few_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4", scenes((60, RED), (60, GREEN), rate=2), gop=2)
    made: list[Any] = []

    def counted(*values: Any) -> Any:
        made.append(image_of(*values))
        return made[-1]

    monkeypatch.setattr(module, "image_of", counted)
    found = frames(path, 32)
    assert next(found)[0] == 0
    assert len(made) == 1  # the rest is decoded when it is asked for
    assert len(list(found)) >= 24
