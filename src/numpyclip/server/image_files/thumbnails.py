"""Thumbnails for the page, re-encoded so that no metadata of the image file is sent."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.field_kinds import Choice, File, Text
from numpyclip.dispatch.fields import RequestFields
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.index.records import is_part, seconds_of
from numpyclip.server.http.image_ids import PathImageId, key_of
from numpyclip.server.http.operations import Answer, operation
from numpyclip.server.http.responses import is_known
from numpyclip.server.inference.served_model import check_decoding_time
from numpyclip.server.service import Service
from numpyclip.viz.thumbnail import thumbnail_bytes

SIZES = (320, 1600)  # pixels of the longer side: in the grid, and enlarged
_MAX_BYTES = 64 << 20  # of the cache


class _Moment(Text):
    """Seconds of a video."""

    expected = "seconds of a video"

    def read(self, sent: Any) -> str:
        """Return them as they name a part of an image."""
        moment = super().read(sent)
        if not is_part(moment) or (moment and seconds_of(moment) is None):
            raise self.refusal(sent)
        return moment


class ThumbnailCache:
    """A least-recently-used cache of thumbnails, for use from many threads."""

    def __init__(self, options: DecodeOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[str, int, str], bytes] = OrderedDict()
        self._bytes = 0

    def get(self, path: str, size: int, version: str, seconds: float | None = None) -> bytes:
        """Return a thumbnail, from the cache if `version` of the file is there; of a video, the frame at a time."""
        key = (path, size, version)
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        data = thumbnail_bytes(path, size, self._options, seconds)
        with self._lock:
            if key not in self._entries:
                self._entries[key] = data
                self._bytes += len(data)
            while self._bytes > _MAX_BYTES:
                _, dropped = self._entries.popitem(last=False)
                self._bytes -= len(dropped)
        return data


class _Thumbnail(RequestFields, example={"id": "12", "side": 1600}):
    id = PathImageId()
    side = Choice("Length of the longer side in pixels.", SIZES)
    t = _Moment("Seconds of a video, whose frame there is shown.")


class _Sent(RequestFields):
    image = File("The image.", required=True)


@operation(
    {200: Answer("The thumbnail.", media="image/jpeg"), 304: Answer("Not modified.", media="")},
    _Thumbnail,
    errors=(404,),
)
async def thumbnail(request: Request, fields: _Thumbnail) -> Response:
    """Return a thumbnail of an indexed image, without its metadata."""
    service: Service = request.app.state.service
    match = await service.threads.run(service.indexed_image, fields.id)
    if match.file is None:
        raise HTTPException(404, f"{match.path}: is not a file on this server, so it has no thumbnail.")
    size, tag = fields.side, f"{key_of(match)}-{fields.t}"
    headers = {"ETag": f'"{tag}-{size}"', "Cache-Control": "private, max-age=3600"}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    draw = request.app.state.thumbnails.get
    data = await service.threads.decode_file(draw, match.file, size, tag, seconds_of(fields.t))
    return Response(data, media_type="image/jpeg", headers=headers)


@operation(Answer("The thumbnail.", media="image/jpeg"), _Sent, methods=("POST",), bodies=("form",))
async def sent_thumbnail(request: Request, fields: _Sent) -> Response:
    """Return a thumbnail of an uploaded image, for formats that browsers cannot show, such as HEIC."""
    service: Service = request.app.state.service
    image = fields.image
    assert image is not None  # required

    def draw() -> bytes:
        check_decoding_time(image, "image")
        return thumbnail_bytes(image, SIZES[0], service.settings.decode_options)

    return Response(await service.threads.decode(draw), media_type="image/jpeg", headers={"Cache-Control": "no-store"})
