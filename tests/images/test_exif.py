import io

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from numpyclip.errors import PictureError
from numpyclip.images.exif import Exif, read_exif
from numpyclip.xmp.packet import Packet
from numpyclip.xmp.reading import Name
from tests.picture_files import with_xmp


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


ORIGINAL, DIGITIZED, CHANGED = 0x9003, 0x9004, 0x0132


def taken(**values: object) -> str | None:
    """Return the date of a picture with these EXIF values."""
    exif = Image.Exif()
    if "changed" in values:
        exif[CHANGED] = values["changed"]
    tags = {"original": ORIGINAL, "digitized": DIGITIZED}
    exif[0x8769] = {tags[name]: value for name, value in values.items() if name in tags}
    return read_exif(jpeg(exif)).taken


@pytest.mark.parametrize(
    "date",
    [
        *("0000:00:00 00:00:00", "2024:13:01 00:00:00", "    :  :     :  :  ", "yesterday", "", "2024", "2024:05"),
        *("\u0662\u0660\u0662\u0664:05:01", "-001:01:01 00:00:00", "99999:01:01 00:00:00", "2024:02:30"),
    ],
)
def test_a_date_that_is_none_is_left_out(date: str) -> None:
    assert taken(changed=date) is None
    assert taken(original=date, digitized="2024:05:01 12:30:00") == "2024-05-01T12:30:00"


@pytest.mark.parametrize(
    ("date", "found"),
    [
        ("2024:05:01", "2024-05-01T00:00:00"),
        ("2024-05-01", "2024-05-01T00:00:00"),
        ("2024:05:01 12:30", "2024-05-01T12:30:00"),
        ("2024:05:01 12:30:15.25", "2024-05-01T12:30:15"),
        ("2024-05-01T12:30:15+02:00", "2024-05-01T12:30:15"),
        ("2024:05:01 12:30:15Z", "2024-05-01T12:30:15"),
        ("2024:05:01 24:00:00", "2024-05-01T00:00:00"),
        ("2024:05:01   :  :  ", "2024-05-01T00:00:00"),
        (" 2024:05:01 12:30:15\0\0", "2024-05-01T12:30:15"),
        (b"2024:05:01 12:30:15\0", "2024-05-01T12:30:15"),
    ],
)
def test_dates_as_they_are_written(date: str | bytes, found: str) -> None:
    assert taken(original=date) == found


def test_the_first_date_that_there_is_counts() -> None:
    dates = {
        "original": "2021:01:01",
        "digitized": "2022:01:01",
        "changed": "2023:01:01",
    }
    for year in ("2021", "2022", "2023"):
        assert str(taken(**dates)).startswith(year)
        del dates[next(iter(dates))]
    assert taken() is None


def test_each_date_has_the_zone_that_is_told_beside_it() -> None:
    exif = Image.Exif()
    exif[CHANGED] = "2024:05:01 12:30:00"
    exif[0x8769] = {0x9010: "+01:00", 0x9011: "+02:00", 0x9012: "+03:00"}
    assert read_exif(jpeg(exif)).offset == "+01:00"
    exif[0x8769][DIGITIZED] = "2024:05:01 12:30:00"
    assert read_exif(jpeg(exif)).offset == "+03:00"
    exif[0x8769][ORIGINAL] = "2024:05:01 12:30:00"
    found = read_exif(jpeg(exif), "PXL_20200101_000000.jpg")
    assert (found.taken, found.offset) == ("2024-05-01T12:30:00", "+02:00")


def test_what_a_name_says_is_not_of_the_content() -> None:
    assert read_exif(jpeg(), "PXL_20200101_000000.jpg").taken is None


@pytest.mark.usefixtures("zone_of_minus_five")
def test_the_time_of_gps_is_that_of_utc() -> None:
    exif = Image.Exif()
    exif[0x8825] = {7: (IFDRational(12), IFDRational(30), IFDRational(5999, 100)), 29: "2024:05:01"}
    found = read_exif(jpeg(exif))
    assert (found.taken, found.offset) == ("2024-05-01T07:30:59", "-05:00")


def test_camera_and_lens() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "NIKON CORPORATION", "NIKON D750"
    exif[0x8769] = {0xA433: "SIGMA", 0xA434: "35mm F1.4 DG HSM | Art 012"}
    found = read_exif(jpeg(exif))
    assert (found.camera, found.lens) == ("Nikon D750", "Sigma 35mm F1.4 DG HSM | Art 012")


def test_the_date_of_gps_and_of_xmp() -> None:
    exif = Image.Exif()
    exif[0x8825] = {29: "2024:05:01"}
    assert read_exif(jpeg(exif)).taken == "2024-05-01T00:00:00"
    xmp = Packet().edited({Name("http://ns.adobe.com/exif/1.0/", "DateTimeOriginal", "exif"): "2023-04-05T06:07:08"})
    assert read_exif(with_xmp(jpeg(exif), xmp)).taken == "2023-04-05T06:07:08"


@pytest.mark.parametrize(
    ("latitude", "longitude", "found"),
    [
        ("47,22.5N", "8,33,30E", (47.375, 8.558333)),
        ("33,0.0S", "70,30W", (-33.0, -70.5)),
        ("0,0N", "0,0E", (None, None)),
        ("91,0N", "8,0E", (None, None)),
        ("47,22.5", "8,33E", (None, None)),
        ("47,22.5N", None, (None, None)),
        ("8,33E", "47,22.5N", (None, None)),
        ("9" * 400 + ",0N", "1,0E", (None, None)),
    ],
)
def test_coordinates_of_xmp_where_gps_data_have_none(
    latitude: str, longitude: str | None, found: tuple[float | None, float | None]
) -> None:
    names = (Name("http://ns.adobe.com/exif/1.0/", name, "exif") for name in ("GPSLatitude", "GPSLongitude"))
    xmp = Packet().edited(dict(zip(names, (latitude, longitude), strict=True)))
    exif = read_exif(with_xmp(jpeg(), xmp))
    assert (exif.latitude, exif.longitude) == found
    exif_data = Image.Exif()
    exif_data[0x8825] = {1: "N", 2: (1, 30, 0), 3: "E", 4: (2, 0, 0)}
    exif = read_exif(with_xmp(jpeg(exif_data), xmp))
    assert (exif.latitude, exif.longitude) == (1.5, 2.0)


@pytest.mark.parametrize(
    "value", [9, 1.5, (1, 2), [], {}, None, IFDRational(1, 0), b"\xff\xfe", "x" * 10_000, "2024:05:01\ud800"]
)
def test_tags_of_any_type_are_no_error(value: object) -> None:
    tags = dict.fromkeys(
        (ORIGINAL, DIGITIZED, CHANGED, 271, 272, 274, 1, 2, 3, 4, 7, 29, *range(0x9010, 0x9013)), value
    )
    tags |= dict.fromkeys(range(0xA432, 0xA435), value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image.Exif, "get_ifd", lambda self, tag: tags)
        patch.setattr(Image.Image, "getexif", lambda self: type("E", (dict,), {"get_ifd": lambda self, t: tags})(tags))
        found = read_exif(jpeg())
    assert (found.width, found.height, found.latitude, found.longitude) == (30, 20, None, None)


def test_each_part_of_exif_is_read_as_far_as_it_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0132] = "2024:05:01 12:30:00"
    monkeypatch.setattr(Image.Exif, "get_ifd", lambda self, tag: 1 / 0)
    assert read_exif(jpeg(exif)).taken == "2024-05-01T12:30:00"


def test_what_is_no_picture_is_named() -> None:
    with pytest.raises(PictureError, match=r"a\.jpg: cannot be read as an image"):
        read_exif(b"nothing", "a.jpg")


@pytest.mark.parametrize(
    "place",
    [
        {2: (IFDRational(1), IFDRational(1), IFDRational(1))},  # no longitude
        {2: (IFDRational(99), 0, 0), 4: (IFDRational(1), 0, 0)},  # beyond the pole
        {2: (IFDRational(1, 0), IFDRational(1, 0), IFDRational(1, 0)), 4: (IFDRational(1), 0, 0)},
        {2: (IFDRational(0, 0), 0, 0), 4: (IFDRational(0, 0), 0, 0)},
        {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)},  # what cameras write that know no place
        {1: "S", 2: (0, 0, 0), 3: "W", 4: (0, 0, 0)},
        {2: (float("nan"), 0, 0), 4: (1, 0, 0)},
        {2: (float("inf"), 0, 0), 4: (1, 0, 0)},
        {2: (10**400, 0, 0), 4: (1, 0, 0)},
        {2: (-1, 0, 0), 4: (1, 0, 0)},
        {2: (1, -1, 0), 4: (1, 0, 0)},
        {2: (1, 61, 0), 4: (1, 0, 0)},
        {2: (1, 0, 3601), 4: (1, 0, 0)},
        {2: (1, 0, 0), 4: (181, 0, 0)},
        {2: (90, 1, 0), 4: (1, 0, 0)},
        {2: (1, 0), 4: (1, 0, 0)},
        {2: (1, 0, 0, 0), 4: (1, 0, 0)},
        {2: "123", 4: "123"},  # no numbers, but three letters each
        {2: b"\1\2\3", 4: b"\1\2\3"},
        {2: 1.0, 4: 1.0},
        {2: (None, 0, 0), 4: (1, 0, 0)},
        {1: "X", 2: (1, 0, 0), 3: "E", 4: (1, 0, 0)},
    ],
)
def test_a_place_that_is_none_is_left_out(place: dict[int, object]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image.Exif, "get_ifd", lambda self, tag: place if tag == 0x8825 else {})
        found = read_exif(jpeg())
    assert (found.latitude, found.longitude) == (None, None)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_data_leaves_the_size() -> None:
    assert read_exif(jpeg(b"Exif\0\0II*\0\xff\xff\xff\xff")) == Exif(30, 20)


@pytest.mark.parametrize(
    ("side", "sign"), [("S", -1), ("s", -1), (b"S\0", -1), ("S\0\0", -1), ("N", 1), ("", 1), (b"N", 1)]
)
def test_south_is_told(side: object, sign: int, monkeypatch: pytest.MonkeyPatch) -> None:
    place = {1: side, 2: (33, 30, 0), 3: "E", 4: (151, 0, 0)}
    monkeypatch.setattr(Image.Exif, "get_ifd", lambda self, tag: place if tag == 0x8825 else {})
    assert read_exif(jpeg()).latitude == sign * 33.5
