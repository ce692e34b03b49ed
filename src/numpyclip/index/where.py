"""Which pictures of an index are searched."""

from __future__ import annotations

import datetime
import os
import re
from dataclasses import dataclass

from numpyclip.errors import InputError
from numpyclip.remote import is_url

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}(:\d{2}(:\d{2})?)?)?)?)?", re.ASCII)
FIRST_MOMENT = "0001-01-01T00:00:00"  # completes the beginning of a date


@dataclass(frozen=True)
class Where:
    """Which pictures are searched.

    Attributes
    ----------
    folder : str or None
        Those in this folder, archive, table or URL, and below it. A relative path is made absolute; symbolic links are
        not resolved.
    after, before : str or None
        Those with a date (EXIF's, else the file's modification time) not before `after`, and before `before`: ``2024``,
        ``2024-05`` or any longer beginning of ``2024-05-01T12:30:00``. A ``datetime.date`` or ``datetime`` becomes one,
        in local time and whole seconds.

    Raises
    ------
    InputError
        If `folder` is empty or no path, or a date does not exist.
    """

    folder: str | os.PathLike[str] | None = None
    after: str | datetime.date | None = None
    before: str | datetime.date | None = None

    def __post_init__(self) -> None:
        """Check and normalise what was given."""
        if self.folder is not None:
            if not os.fspath(self.folder):
                raise InputError("folder is empty; expected the path of one, or None for all pictures.")
            if not is_path(self.folder):
                raise InputError(f"folder is {self.folder!r:.60}, which no path can be.")
            object.__setattr__(self, "folder", absolute(self.folder))
        for name in ("after", "before"):
            if (date := getattr(self, name)) is not None:
                object.__setattr__(self, name, _checked_date(name, date))


EVERYWHERE = Where()


def absolute(path: str | os.PathLike[str]) -> str:
    """Return the path by which an index knows a file or folder: absolute, normalised, symbolic links not resolved.

    A URL stays as it is, but for a slash at its end.
    """
    path = os.fsdecode(path)
    if is_url(path):
        return path.removesuffix("/")
    written = os.path.abspath(path)
    return re.sub(r"^//+", "/", written) if os.sep == "/" else written  # POSIX lets two slashes at the start stand


def is_path(path: str | os.PathLike[str]) -> bool:
    """Tell whether there can be such a path: one without NUL, of letters that the file system has."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def existing_folder(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a folder; InputError if it is none."""
    if not (is_path(path) and os.path.isdir(path)):
        name = os.fsdecode(path)
        if is_url(name):
            raise InputError(f"{name}: is a URL. Run `numpyclip embed images` on it, then `index --import`.")
        raise InputError(f"{name}: is no folder; expected one with pictures in it.")
    return absolute(path)


def _checked_date(name: str, date: object) -> str:
    written = date
    try:
        if isinstance(date, datetime.datetime):
            local = date if date.tzinfo is None else date.astimezone().replace(tzinfo=None)
            written = local.isoformat(timespec="seconds")
        elif isinstance(date, datetime.date):
            written = date.isoformat()
        if not (isinstance(written, str) and _DATE.fullmatch(written)):
            raise ValueError("it is written otherwise" if isinstance(written, str) else "it is no string")
        datetime.datetime.fromisoformat(written + FIRST_MOMENT[len(written) :])
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{name}: {date!r:.60} is no date ({error}); expected one such as "
            "'2024', '2024-05' or '2024-05-01T12:30:00'."
        ) from None
    return written
