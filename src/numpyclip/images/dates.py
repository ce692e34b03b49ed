"""DATES: when an image was taken, as EXIF data, XMP and names of files write it."""

from __future__ import annotations

import datetime
import re
from contextlib import suppress
from typing import Any, NamedTuple

_DATE = re.compile(r"(\d{4})[:/.-](\d{2})[:/.-](\d{2})", re.ASCII)
_TIME = re.compile(r"[ T](\d{2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?", re.ASCII)
_ZONE = re.compile(r"\s*(?:([+-])(\d{2}):?(\d{2})|Z)\s*\0*\Z", re.ASCII)
_MONTH = re.compile(r"(\d{4})(?:-(\d{2}))?", re.ASCII)
_MOST_HOURS = 14  # from UTC
# Others are those of clocks that were never set, or what programs write for no date; the first photograph is of 1826.
_FIRST_YEAR, _LAST_YEAR = 1826, 2099

# In names, dates are of years in which there were digital cameras, so that other numbers are mistaken for none.
_YEAR, _TWO = r"(?P<y>19[89]\d|20[0-4]\d)", r"\d{2}"
_CLOCK = rf"(?P<h>\d{{2}}|\d(?=[-_.:]))(?P<sep>[-_.:]?)(?P<min>{_TWO})(?P=sep)(?P<s>{_TWO})"
_NAMES = [
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        # IMG_20240501_123000.jpg, PXL_20240501_123000123.jpg (in UTC), WP_20140501_12_30_00_Pro.jpg, 20240501T123000Z
        rf"(?P<utc>PXL_)?(?<![\d+]){_YEAR}(?P<m>{_TWO})(?P<d>{_TWO})[ _T-]?(?=\d\d){_CLOCK}"
        r"(?:\d{3})?(?P<zulu>Z)?(?!\d)",
        # 2024-05-01 12.30.00.jpg, Screenshot 2024-05-01 at 1.30.00 PM.png, signal-2024-05-01-123000.jpg, 2024_05_01.jpg
        *(
            rf"(?<!\d)(?<!\d{gap}){_YEAR}(?P<gap>{gap})(?P<m>{_TWO}){gap}(?P<d>{_TWO})(?!\d)"
            rf"(?:(?:T|_|[^\w]{{1,3}})(?:[^\W\d_]{{1,5}}[^\w]{{1,3}})?{_CLOCK}(?!\d)(?:[^\w]?(?P<half>[AP])M\b)?)?"
            for gap in ("-", "_", r"\.")
        ),
        # photo_7@01-05-2024_12-30-00.jpg
        rf"@(?P<d>{_TWO})-(?P<m>{_TWO})-{_YEAR}_{_CLOCK}(?!\d)",
        # IMG-20240501-WA0001.jpg: the day
        rf"^(?P<gap>IMG|VID|PTT|AUD|STK|PANO|MVIMG|Screenshot)[-_ ]{_YEAR}(?P<m>{_TWO})(?P<d>{_TWO})(?!\d)",
    )
]


class Dated(NamedTuple):
    """A date and time.

    Attributes
    ----------
    taken : str or None
        As it is written, ``2024-05-01T12:30:00``; midnight of a day.
    offset : str or None
        From UTC, ``+02:00``, if it is told.
    """

    taken: str | None
    offset: str | None = None


def written_date(value: Any, offset: Any = None) -> Dated | None:
    """Read ``2024:05:01 12:30:00``, or only the day; cameras that were never set write zeros or blanks.

    `offset` is that of the tag beside it; an offset in the value itself comes first.
    """
    text = _text(value).strip()
    day = _DATE.match(text)
    if day is None:
        return None
    time = _TIME.match(text, day.end())
    numbers = [int(number or 0) for number in (*day.groups(), *(time.groups() if time else ()))]
    if not _FIRST_YEAR <= numbers[0] <= _LAST_YEAR:
        return None
    for used in (numbers, numbers[:3]):
        with suppress(ValueError):
            taken = datetime.datetime(*used).isoformat()  # type: ignore[arg-type]
            has_time = time is not None and used is numbers
            return Dated(taken, (_offset(text[time.end() :]) or _offset(_text(offset))) if time and has_time else None)
    return None


def utc_date(day: Any, clock: Any) -> Dated | None:
    """Read the date of GPS data and its time, hours, minutes and seconds, which are in UTC; see `local_date`."""
    dated = written_date(day)
    if dated is None or dated.taken is None or not isinstance(clock, tuple | list):
        return dated
    try:
        hours, minutes, seconds = (int(float(number)) for number in clock)
        time = datetime.time(hours, minutes, seconds)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return dated
    return local_date(datetime.datetime.combine(datetime.date.fromisoformat(dated.taken[:10]), time))


def local_date(utc: datetime.datetime) -> Dated:
    """Turn what is told in UTC alone into local time of this machine, as modification times of files are."""
    try:
        local = utc.replace(tzinfo=datetime.timezone.utc).astimezone().isoformat()
    except (ValueError, OverflowError, OSError):  # of a system that has no such years
        return Dated(utc.isoformat(), "+00:00")
    return Dated(local[:19], local[19:25])


def xmp_date(text: str) -> Dated | None:
    """Read a date of XMP data: of scans often only the month or the year is known."""
    day = _MONTH.fullmatch(text.strip())
    return written_date(f"{day[1]}-{day[2] or '01'}-01" if day else text)


def date_in_name(name: str) -> str | None:
    """Read the date that a camera, a phone or a program has put into the name of a file, in local time.

    Digits alone are a date only together with a time, or after a prefix of those programs.
    """
    last = re.split(r"[/\\]", name)[-1][:255]
    for pattern in _NAMES:
        for found in pattern.finditer(last):
            if (date := _named(found.groupdict())) is not None:
                return date
    return None


def _named(parts: dict[str, str | None]) -> str | None:
    year, month, day = (int(parts[name] or 0) for name in "ymd")
    numbers = [int(parts.get(name) or 0) for name in ("h", "min", "s")]
    if (half := parts.get("half")) is not None and 1 <= numbers[0] <= 12:
        numbers[0] = numbers[0] % 12 + 12 * (half.upper() == "P")
    try:
        date = datetime.datetime(year, month, day)
    except ValueError:
        return None
    with suppress(ValueError):
        timed = date.replace(hour=numbers[0], minute=numbers[1], second=numbers[2])
        is_utc = parts.get("utc") or parts.get("zulu")
        return local_date(timed).taken if is_utc else timed.isoformat()
    return date.isoformat() if parts.get("gap") else None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    return value if isinstance(value, str) else ""


def _offset(text: str) -> str | None:
    found = _ZONE.match(text)
    if found is None:
        return None
    sign, hours, minutes = found[1] or "+", int(found[2] or 0), int(found[3] or 0)
    if hours > _MOST_HOURS or minutes > 59:
        return None
    return f"{sign if hours or minutes else '+'}{hours:02}:{minutes:02}"
