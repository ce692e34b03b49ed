import io

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from numpyclip.index.exif import read_exif
from numpyclip.index.records import Exif


def jpeg(exif: Image.Exif | bytes = b"", size: tuple[int, int] = (30, 20)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "JPEG", exif=exif)
    return file.getvalue()


def test_size_date_and_place() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x0132] = "2025:01:01 00:00:00"
    exif[0x8769] = {0x9003: "2024:05:01 12:30:00"}
    degrees = (IFDRational(33), IFDRational(51), IFDRational(3540, 100))
    exif[0x8825] = {1: "S", 2: degrees, 3: "E", 4: (IFDRational(151), IFDRational(12), IFDRational(0))}
    assert read_exif(jpeg(exif)) == Exif(20, 30, "2024-05-01T12:30:00", -33.859833, 151.2)


@pytest.mark.parametrize("date", ["0000:00:00 00:00:00", "2024:13:01 00:00:00", "    :  :     :  :  ", "yesterday", ""])
def test_a_date_that_is_none_is_left_out(date: str) -> None:
    exif = Image.Exif()
    exif[0x0132] = date
    assert read_exif(jpeg(exif)).taken is None


@pytest.mark.parametrize(
    "place",
    [
        {2: (IFDRational(1), IFDRational(1), IFDRational(1))},  # no longitude
        {2: (IFDRational(99), 0, 0), 4: (IFDRational(1), 0, 0)},  # beyond the pole
        {2: (IFDRational(1, 0), IFDRational(1, 0), IFDRational(1, 0)), 4: (IFDRational(1), 0, 0)},
    ],
)
def test_a_place_that_is_none_is_left_out(place: dict[int, object]) -> None:
    exif = Image.Exif()
    exif[0x8825] = place
    found = read_exif(jpeg(exif))
    assert (found.latitude, found.longitude) == (None, None)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_data_leaves_the_size() -> None:
    assert read_exif(jpeg(b"Exif\0\0II*\0\xff\xff\xff\xff")) == Exif(30, 20)
