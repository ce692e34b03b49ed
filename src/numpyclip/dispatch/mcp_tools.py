"""The tools that assistants can call, with the schemas of their arguments."""

from __future__ import annotations

from dataclasses import dataclass

from numpyclip.dispatch.field_kinds import Flag, Integer, RowId, Text
from numpyclip.dispatch.fields import RequestFields, Schema
from numpyclip.dispatch.queries import ResultFields, SearchFields

INSTRUCTIONS = (
    "Searches the user's own images, by what they show. Search first, then look at the thumbnails: a high rank does "
    "not mean that an image shows what was asked for. Refer to images by their path. Nothing can be changed."
)


_COUNT = Integer("How many images.", 5, 50)
_THUMBNAILS = Flag("Return a small JPEG of each image.", True)


class Search(SearchFields):
    """A search by words."""

    n, thumbnails = _COUNT, _THUMBNAILS


class Chosen(RequestFields):
    """An image of the index; none for the index itself."""

    id = RowId("Of an image: the id that search and similar return.")
    path = Text("Path of an image, instead of the id; it must be in the index.")


class Similar(Chosen, ResultFields):
    """A search by an image of the index."""

    n, thumbnails = _COUNT, _THUMBNAILS


@dataclass(frozen=True)
class Tool:
    """A tool that assistants can call, with the description of its arguments."""

    title: str
    description: str
    arguments: type[RequestFields]

    def schema(self) -> Schema:
        """Return the JSON schema of the arguments."""
        return {**self.arguments.schema("tool"), "additionalProperties": False}


TOOLS = {
    "search": Tool(
        "Search images",
        "Find images by words that describe what they show, such as 'a dog on a beach'. Returns paths, ids, dates and "
        "thumbnails, the nearest first; without a query the newest images that pass the filters. A video has the "
        "seconds of its best moment.",
        Search,
    ),
    "similar": Tool(
        "Find similar images",
        "Find the images that look most like one that is in the index, by its id or path.",
        Similar,
    ),
    "describe": Tool(
        "Describe an image or the index",
        "With an id or a path: when and where an image was taken, its size, tags, copies, and a larger thumbnail. "
        "Without arguments: how many images there are, their folders, cameras, lenses, tags and albums, and the model.",
        Chosen,
    ),
}
