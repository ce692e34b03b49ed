import pytest

from numpyclip.images.dates import Dated, date_in_name, utc_date, written_date, xmp_date
from numpyclip.xmp.packet import Packet
from numpyclip.xmp.properties import dates_in

NOON = "2024-05-01T12:30:00"


@pytest.mark.parametrize(
    "name",
    [
        *("IMG_20240501_123000.jpg", "IMG_20240501_123000_1.jpg", "IMG20240501123000.jpg", "20240501_123000.jpg"),
        *("VID_20240501_123000.mp4", "VID-20240501-123000.mp4", "MVIMG_20240501_123000.jpg"),
        "DJI_20240501123000_0001_D.JPG",
        *("IMG_20240501_123000123_HDR.jpg", "00000IMG_00000_BURST20240501123000123_COVER.jpg"),
        "WP_20240501_12_30_00_Pro.jpg",
        *("Screenshot_20240501-123000.png", "Screenshot_20240501_123000_Chrome.jpg", "img_20240501_123000~2.jpg"),
        *("Screenshot_2024-05-01-12-30-00-123_com.app.png", "Screenshot 2024-05-01 123000.png"),
        *("Screenshot 2024-05-01 at 12.30.00.png", "Screen Shot 2024-05-01 at 12.30.00 PM.png"),
        *("Screen Shot 2024-05-01 at 12.30.00\u202fPM (2).png", "Bildschirmfoto 2024-05-01 um 12.30.00.png"),
        *("Capture d\u2019\u00e9cran 2024-05-01 \u00e0 12.30.00.png", "Screenshot from 2024-05-01 12-30-00.png"),
        *("WhatsApp Image 2024-05-01 at 12.30.00.jpeg", "photo_2024-05-01_12-30-00.jpg"),
        "photo_7@01-05-2024_12-30-00.jpg",
        *("signal-2024-05-01-12-30-00-123.jpg", "signal-2024-05-01-123000_002.jpeg", "2024-05-01 12.30.00.jpg"),
        *("2024-05-01_12-30-00.jpg", "C360_2024-05-01-12-30-00-123.jpg", "/photos/2020-01-01/IMG_20240501_123000.jpg"),
        *("2024-05-01T12:30:00.jpg", "C:\\2020-01-01\\20240501_123000.jpg", "scan_1_2024-05-01_12-30-00.jpg"),
    ],
)  # fmt: skip
def test_programs_put_dates_into_names(name: str) -> None:
    assert date_in_name(name) == NOON


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("PXL_20240501_123000123.jpg", "2024-05-01T07:30:00"),
        ("PXL_20240501_123000123.RAW-01.COVER.jpg", "2024-05-01T07:30:00"),
        ("20240501T123000Z.jpg", "2024-05-01T07:30:00"),
        ("Screenshot 2024-05-01 at 1.05.09 PM.png", "2024-05-01T13:05:09"),
        ("WhatsApp Image 2024-05-01 at 12.05.09 AM.jpeg", "2024-05-01T00:05:09"),
        ("IMG-20240501-WA0001.jpg", "2024-05-01T00:00:00"),
        ("VID-20240501-WA0001.mp4", "2024-05-01T00:00:00"),
        ("IMG_20240501.jpg", "2024-05-01T00:00:00"),
        ("2024-05-01.jpg", "2024-05-01T00:00:00"),
        ("IMG_20240501_253000.jpg", "2024-05-01T00:00:00"),
        ("2024_05_01 party (12).jpg", "2024-05-01T00:00:00"),
        ("2024-05-01 99.30.00.jpg", "2024-05-01T00:00:00"),
        ("2024-02-29.jpg", "2024-02-29T00:00:00"),
        ("2024-05-01 - 2024-05-07.jpg", "2024-05-01T00:00:00"),
        ("2012_12_21_2012_12_23.jpg", "2012-12-21T00:00:00"),
        ("2023-01-01--2023-12-31.jpg", "2023-01-01T00:00:00"),
        ("2024-05-01-10000.jpg", "2024-05-01T00:00:00"),
    ],
)
@pytest.mark.usefixtures("zone_of_minus_five")
def test_of_some_names_the_time_is_in_utc_or_only_the_day_is_known(name: str, taken: str) -> None:
    assert date_in_name(name) == taken


@pytest.mark.parametrize(
    "name",
    [
        *("", "IMG_1234.jpg", "DSC01234.JPG", "P1010001.JPG", "20240501.jpg", "DSC_20240501.jpg", "12345678.jpg"),
        *("+20240501123000.jpg", "0170-2010-05-06.jpg", "978-2010-05-06-1.jpg", "192.168.2010.05.06.jpg"),
        "+49 2010 0506.jpg",
        *("IMG_20241301_123000.jpg", "IMG_20240230_123000.jpg", "IMG_18990501_123000.jpg"),
        *("IMG_20990501_123000.jpg", "120240501_123000.jpg", "20240501_1230001.jpg", "2023-02-29.jpg"),
        "2024-13-01.jpg",
        *("FB_IMG_1714559400123.jpg", "received_20240501123000123456.jpeg", "Snapchat-1234567890.jpg"),
        *("2024-05-012.jpg", "received_2005010112300.jpg", "2010123112345.jpg", "received_1985051123456789.jpg"),
        *("44567_10151412312345678_1234567890_n.jpg", "2024.jpg", "2024-05.jpg", "2024-05_01.jpg"),
        "IMG-20240501123-WA1.jpg",
        *("\u0662\u0660\u0662\u0664-05-01.jpg", "2024-05-01.d/IMG_1.jpg", "20240501_123000/IMG_1.jpg"),
        "IMG_20240501_123000\\1.jpg",
    ],
)  # fmt: skip
def test_other_numbers_are_no_dates(name: str) -> None:
    assert date_in_name(name) is None


def test_a_name_of_any_length_is_read_quickly() -> None:
    for part in ("2024-05-01 ", "20240501", "PXL_", "a-" * 50, "2024-05-01" + "." * 99):
        date_in_name(part * 10_000)


@pytest.mark.parametrize(
    ("date", "offset", "expected"),
    [
        ("2024:05:01 12:30:00", "+02:00", "+02:00"),
        ("2024:05:01 12:30:00", b"-03:30\0", "-03:30"),
        ("2024:05:01 12:30:00", "Z", "+00:00"),
        ("2024:05:01 12:30:00", "-00:00", "+00:00"),
        ("2024:05:01 12:30:00.25+05:45", "+02:00", "+05:45"),
        ("2024-05-01T12:30:00Z", None, "+00:00"),
        ("2024:05:01 12:30:00", "   :  ", None),
        ("2024:05:01 12:30:00", "+25:00", None),
        ("2024:05:01 12:30:00", "+02:75", None),
        ("2024:05:01 12:30:00", "+02:00 and more", None),
        ("2024:05:01 12:30:00", 2, None),
    ],
)
def test_the_zone_is_what_is_told(date: str, offset: object, expected: str | None) -> None:
    assert written_date(date, offset) == Dated(NOON, expected)


def test_a_day_has_no_zone() -> None:
    assert written_date("2024:05:01", "+02:00") == ("2024-05-01T00:00:00", None)
    assert written_date("2024:05:01 24:00:00", "+02:00") == ("2024-05-01T00:00:00", None)


def test_clocks_that_were_never_set_have_no_date() -> None:
    for year in ("0001", "1601", "1825", "2100", "9999"):
        assert written_date(f"{year}:01:01 00:00:00") is None
    assert written_date("1826:01:01") == ("1826-01-01T00:00:00", None)


@pytest.mark.usefixtures("zone_of_minus_five")
def test_gps_data_are_in_utc() -> None:
    assert utc_date("2024:05:01", (12, 30, 0.9)) == ("2024-05-01T07:30:00", "-05:00")
    for wrong in (None, (12, 30), "123", (25, 0, 0), (float("nan"), 0, 0), (10**400, 0, 0)):
        assert utc_date("2024:05:01", wrong) == ("2024-05-01T00:00:00", None)
    assert utc_date("", (12, 30, 0)) is None


def test_the_best_date_of_xmp_comes_first() -> None:
    xmp = (
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
        ' xmlns:e="http://ns.adobe.com/exif/1.0/" xmp:ModifyDate="2020-01-01T00:00:00"'
        ' xmp:CreateDate="2023-01-01T00:00:00Z"><photoshop:DateCreated>2022-01-01</photoshop:DateCreated>'
        "<e:DateTimeOriginal>\n2021-01-01T10:00:00+02:00</e:DateTimeOriginal></r:Description></r:RDF>"
    )
    found = [dated for dated in map(xmp_date, dates_in(Packet(xmp.encode()))) if dated]
    assert [str(dated.taken)[:4] for dated in found] == ["2021", "2022", "2023"]
    assert [dated.offset for dated in found] == ["+02:00", None, "+00:00"]


def test_of_scans_the_month_or_the_year_is_known() -> None:
    assert xmp_date("1987-06 ") == ("1987-06-01T00:00:00", None)
    assert xmp_date("1987") == ("1987-01-01T00:00:00", None)
    for wrong in ("1987-13", "1987-6", "87", ""):
        assert xmp_date(wrong) is None
