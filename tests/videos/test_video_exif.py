from pathlib import Path

import pytest

from numpyclip.videos.video_exif import _camera, _dated, _place_of, read_video_exif
from tests.videos.made_videos import RED, scenes, write_video


def test_the_size_is_that_of_what_is_shown(tmp_path: Path) -> None:
    quarter = [0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30]
    path = write_video(tmp_path / "a.mp4", scenes((3, RED)), set_up=lambda stream: stream.set_display_matrix(quarter))
    exif = read_video_exif(path)
    assert (exif.width, exif.height) == (64, 96)
    assert exif.duration == pytest.approx(3, abs=0.25)
    assert (exif.taken, exif.latitude) == (None, None)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"com.apple.quicktime.creationdate": "2024-05-01T14:00:00+0200"}, ("2024-05-01T14:00:00", "+02:00")),
        ({"com.apple.quicktime.creationdate": "1965-05-01"}, ("1965-05-01T00:00:00", None)),
        ({"creation_time": "2024-05-01T02:00:00.000000Z"}, ("2024-04-30T21:00:00", "-05:00")),
        ({"creation_time": "1904-01-01T00:00:00.000000Z"}, None),
        ({"creation_time": "1970-01-01T00:00:00.000000Z"}, None),
        ({"creation_time": "2024-13-01T00:00:00.000000Z"}, None),
        ({"creation_time": "yesterday"}, None),
        ({}, None),
    ],
)
@pytest.mark.usefixtures("zone_of_minus_five")
def test_dates(metadata: dict[str, str], expected: tuple[str, str | None] | None) -> None:
    assert _dated(metadata) == expected


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"com.apple.quicktime.make": "Apple", "com.apple.quicktime.model": "iPhone 15"}, "Apple iPhone 15"),
        ({"com.android.manufacturer": "Google", "com.android.model": "Pixel 8"}, "Google Pixel 8"),
        ({"make": "Canon", "model": "Canon EOS R5"}, "Canon EOS R5"),
        ({}, None),
    ],
)
def test_cameras(metadata: dict[str, str], expected: str | None) -> None:
    assert _camera(metadata) == expected


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("+52.5200+013.4050+034.000/", (52.52, 13.405)),
        ("-33.8688-151.2093/", (-33.8688, -151.2093)),
        ("+00.0000+000.0000/", (None, None)),
        ("+95.0000+013.4050/", (None, None)),
        ("Berlin", (None, None)),
    ],
)
def test_places(place: str, expected: tuple[float | None, float | None]) -> None:
    assert _place_of({"location": place}) == expected
