"""Original image files and ranges of their bytes: through the index only, and only if unchanged since it read them."""

from __future__ import annotations

import functools
import os
import re
import string
from collections.abc import Iterator
from typing import IO
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.field_kinds import Flag
from numpyclip.dispatch.fields import RequestFields
from numpyclip.images.find import FileState
from numpyclip.index.picture_rows import storable
from numpyclip.index.records import Match
from numpyclip.regular_file import open_regular, sha256_of
from numpyclip.server.http.image_ids import PathImageId
from numpyclip.server.http.operations import Answer, operation
from numpyclip.server.http.responses import is_known
from numpyclip.server.http.streams import BLOCK, BrokenOff, Stream
from numpyclip.server.service import Service

_SHOWN = {  # what browsers show, and nothing that may hold scripts
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), "image/jpeg"),
    **dict.fromkeys((".png", ".apng"), "image/png"),
    **dict.fromkeys((".mp4", ".m4v"), "video/mp4"),
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
}
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_PLAIN = frozenset(string.ascii_letters + string.digits + " .-_()")
# A video asks for its own bytes, which is the same origin's; scripts are not allowed.
_POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox allow-same-origin"


def open_original(match: Match) -> tuple[str, IO[bytes], FileState]:
    """Open the first file of an image that is unchanged since it was indexed; return its path and state, too.

    Raises
    ------
    HTTPException
        404 if there is none: another may have taken its place since.
    """
    for path, recorded in zip((match.path, *match.copies), match.states, strict=False):
        if path is None or not recorded.is_here:
            continue
        try:
            file = open_regular(path)
        except (OSError, ValueError):
            continue
        status = os.fstat(file.fileno())
        is_as_recorded = storable(FileState(status.st_size, status.st_mtime_ns)) == recorded
        if is_as_recorded and (_is_no_link(path, status) or _sha256(path, _identity(status)) == recorded.digest):
            return path, file, recorded
        file.close()
    raise HTTPException(404, f"{match.path}: is missing, or has changed since it was indexed.")


def _is_no_link(path: str, status: os.stat_result) -> bool:
    """Tell whether a file is in its folder itself; a link may lead to what was never indexed, now or soon."""
    try:
        return os.path.samestat(os.lstat(path), status)
    except OSError:
        return False


def _identity(status: os.stat_result) -> tuple[int, ...]:
    """Return values that change with the content, also if its owner sets the modification time."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@functools.lru_cache(1000)
def _sha256(path: str, identity: tuple[int, ...]) -> bytes:
    """Compute the SHA-256 of a file, once; empty if it is another one."""
    try:
        with open_regular(path) as file:
            digest = sha256_of(file)
            return digest if _identity(os.fstat(file.fileno())) == identity else b""
    except OSError:
        return b""


class _Original(RequestFields, example={"id": "12"}):
    id = PathImageId()
    download = Flag("Send it as an attachment, which browsers save.")


@operation(
    {
        200: Answer("The file.", media="*/*"),
        206: Answer("The bytes that the header `Range` requests.", media="*/*"),
        304: Answer("Not modified.", media=""),
        416: Answer("The range is not within the file.", media=""),
    },
    _Original,
    errors=(404,),
)
async def original(request: Request, fields: _Original) -> Response:
    """Return the file of an indexed image, or a range of its bytes, if it has not changed since it was indexed."""
    service: Service = request.app.state.service
    if not service.settings.originals:
        raise HTTPException(404, "originals are disabled (--no-originals).")
    match = await service.threads.run(service.indexed_image, fields.id)
    return await service.threads.run(_response, request, match, fields.download)


def _response(request: Request, match: Match, is_download: bool) -> Response:
    path, file, state = open_original(match)
    headers = _headers(path, state, is_download=is_download)
    part, size = _range(request.headers, headers["etag"], state.size), state.size
    if is_known(request, headers["etag"]):
        file.close()
        return Response(status_code=304, headers=headers)
    if part is not None and not part:
        file.close()
        return Response(status_code=416, headers=headers | {"content-range": f"bytes */{size}"})
    blocks = _read(path, file, part or range(size))
    next(blocks)
    if part is None:
        return Stream(request, blocks, headers | {"content-length": str(size)})
    shown = {"content-range": f"bytes {part.start}-{part.stop - 1}/{size}", "content-length": str(len(part))}
    return Stream(request, blocks, headers | shown, 206)


def _read(path: str, file: IO[bytes], part: range) -> Iterator[bytes]:
    """Iterate over blocks of a range of a file, after an empty one, from which on the file is closed in any case."""
    with file:
        yield b""
        file.seek(part.start)
        left = len(part)
        while left and (block := file.read(min(BLOCK, left))):
            left -= len(block)
            yield block
    if left:
        raise BrokenOff(f"{path}: has changed while it was sent.")


def _headers(path: str, state: FileState, *, is_download: bool) -> dict[str, str]:
    kind = _SHOWN.get(os.path.splitext(path)[1].lower())  # noqa: PTH122
    way = "attachment" if is_download or kind is None else "inline"
    return {
        "content-type": kind or "application/octet-stream",
        "content-disposition": disposition(way, os.path.basename(path)),  # noqa: PTH119
        "content-security-policy": _POLICY,
        "cache-control": "private, no-cache",
        "accept-ranges": "bytes",
        "etag": f'"{state.mtime_ns:x}-{state.size:x}"',
    }


def disposition(way: str, name: str) -> str:
    """Make a Content-Disposition (RFC 6266) of any name of a file."""
    plain = "".join(letter if letter in _PLAIN else "_" for letter in name)
    return f"{way}; filename=\"{plain}\"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"


def _range(headers: Headers, tag: str, size: int) -> range | None:
    """Return the requested range; None for the whole file: no range, several, or one of another version."""
    sent = _RANGE.fullmatch(headers.get("range", ""))
    if sent is None or headers.get("if-range", tag) != tag or not any(sent.groups()):
        return None
    first, last = sent.groups()
    if first and last and int(first) > int(last):
        return None
    if not first:  # the last bytes
        return range(max(0, size - int(last)), size)
    return range(int(first), min(size, int(last) + 1 if last else size))
