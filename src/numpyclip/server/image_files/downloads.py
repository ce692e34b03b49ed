"""ZIP archives of image files, streamed."""

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

from numpyclip.dispatch.fields import RequestFields
from numpyclip.server.http.image_ids import ImageId, ImageIds
from numpyclip.server.http.operations import Answer, operation
from numpyclip.server.http.streams import BLOCK, Stream
from numpyclip.server.image_files.originals import disposition, open_original
from numpyclip.server.service import Service

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE | re.ASCII)  # Windows' names of these
_MAX_BYTES, _MAX_SUFFIX = 255, 20  # of a name, and characters of the suffix that a name keeps
_MISSING = "not included.txt"


class _Download(RequestFields, example={"ids": ["1", "2"]}):
    ids = ImageIds("IDs of indexed images.", required=True)


@operation(Answer("The archive.", media="application/zip"), _Download, methods=("POST",), errors=(404,))
async def download(request: Request, fields: _Download) -> Response:
    """Return the files of indexed images as a ZIP archive, with a list of those that are missing."""
    service: Service = request.app.state.service
    if not service.settings.originals:
        raise HTTPException(404, "originals are disabled (--no-originals).")
    ids = list(dict.fromkeys(fields.ids))
    headers = {
        "content-type": "application/zip",
        "content-disposition": disposition("attachment", "images.zip"),
        "cache-control": "no-store",
    }
    return Stream(request, _archive(service, ids), headers)


class _Sink:
    """A file-like buffer that an archive is written to, until its bytes are taken."""

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


def _archive(service: Service, ids: Sequence[ImageId]) -> Iterator[bytes]:
    """Write an archive, file by file: uncompressed, for images are. Each file, and each that is missing, has blocks."""
    sink, names, missing = _Sink(), _Names(), list[str]()
    with zipfile.ZipFile(sink, "w") as archive:  # type: ignore[call-overload]
        for image in ids:
            yield sink.take()
            try:
                path, file, state = open_original(service.indexed_image(image))
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
                if left:
                    missing.append(f"{path}: has changed while it was sent.")
        if missing:
            archive.writestr(names.unique(_MISSING), "\n".join(missing).encode("utf-8", "replace"))
    yield sink.take()


class _Names:
    """Names in an archive that are unique and valid on every operating system."""

    def __init__(self) -> None:
        self._taken: set[str] = {_key(_MISSING)}
        self._counts: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """Return the name of a file, with a number if it is taken."""
        if name == _MISSING:
            return name
        safe = _UNSAFE.sub("_", name).rstrip(". ") or "_"
        safe = _joined("_" if _DEVICES.match(safe) else "", safe, "")
        stem, suffix = os.path.splitext(safe)  # noqa: PTH122
        if len(suffix) > _MAX_SUFFIX:
            stem, suffix = safe, ""
        candidate, count = safe, self._counts.get(_key(safe), 1)
        while _key(candidate) in self._taken:
            count += 1
            candidate = _joined("", stem, f" ({count}){suffix}")
        self._counts[_key(safe)] = count
        self._taken.add(_key(candidate))
        return candidate


def _joined(start: str, stem: str, end: str) -> str:
    """Join parts of a name, of which the one in the middle is cut to what file systems take."""
    most = _MAX_BYTES - len((start + end).encode())
    return start + stem.encode()[:most].decode("utf-8", "ignore") + end


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
