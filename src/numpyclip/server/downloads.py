"""Several image files in one ZIP archive, which is written as it is sent."""

from __future__ import annotations

import os
import re
import time
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.fields import Fields, is_row_id, shown
from numpyclip.server.originals import disposition, open_original
from numpyclip.server.request_parsing import any_fields
from numpyclip.server.responses import bad_request
from numpyclip.server.service import Service
from numpyclip.server.streams import BLOCK, Stream

_MAX_FILES = 10_000  # each takes a kilobyte of memory until the end
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE | re.ASCII)  # Windows' names of these
_MISSING = "not included.txt"


async def download(request: Request) -> Response:
    """Return the files of indexed images, by their IDs, as a ZIP archive."""
    service: Service = request.app.state.service
    if not service.settings.originals:
        raise HTTPException(404, "this server sends no image files; its owner may have it do so.")
    ids = ids_of(await any_fields(request))
    headers = {
        "content-type": "application/zip",
        "content-disposition": disposition("attachment", "pictures.zip"),
        "cache-control": "no-store",
    }
    return Stream(request, _archive(service, ids), headers)


def ids_of(fields: Fields, name: str = "ids") -> list[int]:
    """Return the IDs of several images, also in one string with commas, each once."""
    value = fields.values.get(name)
    texts: Sequence[object] = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else ()
    if not 0 < len(texts) <= _MAX_FILES:
        raise bad_request(f"{len(texts)} IDs; expected 1 to {_MAX_FILES}.")
    if not all(is_row_id(str(text)) for text in texts):
        raise bad_request(f"{name} is {shown(value)}; expected IDs of images.")
    return list(dict.fromkeys(int(str(text)) for text in texts))


class _Sink:
    """What an archive is written to: the bytes until they are taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        return

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def _archive(service: Service, ids: Sequence[int]) -> Iterator[bytes]:
    """Write an archive, file by file: uncompressed, for images are."""
    sink, names, missing = _Sink(), _Names(), list[str]()
    with zipfile.ZipFile(sink, "w") as archive:  # type: ignore[call-overload]
        for row_id in ids:
            try:
                path, file, state = open_original(service.indexed_image(row_id))
            except HTTPException as error:
                missing.append(error.detail)
                continue
            name = names.unique(os.path.basename(path))  # noqa: PTH119
            info = zipfile.ZipInfo(name, _dos_time(state.mtime_ns // 10**9))
            info.file_size = state.size
            with file, archive.open(info, "w", force_zip64=state.size >= 1 << 31) as entry:
                left = state.size  # no more, should it grow
                while left and (block := file.read(min(BLOCK, left))):
                    left -= len(block)
                    entry.write(block)
                    yield sink.take()
        if missing:
            archive.writestr(names.unique(_MISSING), "\n".join(missing).encode("utf-8", "replace"))
    yield sink.take()


class _Names:
    """Names in an archive that are told apart, and allowed, on every system."""

    def __init__(self) -> None:
        self._taken: set[str] = {_key(_MISSING)}
        self._counts: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """Return a name of a file with a number where it is taken."""
        if name == _MISSING:
            return name
        safe = _UNSAFE.sub("_", name).rstrip(". ") or "_"
        safe = f"_{safe}" if _DEVICES.match(safe) else safe
        stem, suffix = os.path.splitext(safe)  # noqa: PTH122
        candidate, count = safe, self._counts.get(_key(safe), 1)
        while _key(candidate) in self._taken:
            count += 1
            candidate = f"{stem} ({count}){suffix}"
        self._counts[_key(safe)] = count
        self._taken.add(_key(candidate))
        return candidate


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _dos_time(seconds: int) -> tuple[int, int, int, int, int, int]:
    """Return a time as archives have it: of the years 1980 to 2107."""
    try:
        year, *rest = time.localtime(seconds)[:6]
    except (OverflowError, OSError, ValueError):
        return (1980, 1, 1, 0, 0, 0)
    if not 1980 <= year <= 2107:
        return (1980, 1, 1, 0, 0, 0)
    return (year, *rest)  # type: ignore[return-value]
