"""What assistants may call: the tools, with the schemas of their arguments."""

from __future__ import annotations

from typing import Any

from numpyclip.dispatch.queries import FILTERS

INSTRUCTIONS = (
    "Searches the user's own images, by what they show. Search first, then look at the thumbnails: a high rank does "
    "not mean that an image shows what was asked for. Refer to images by their path. Nothing can be changed."
)
MAX_RESULTS = 50
DEFAULT_RESULTS = 5

_NUMBERS = {"type": "array", "items": {"type": "number"}}
_FILTERS: dict[str, dict[str, Any]] = {
    "folder": {"description": "Only images in this folder and below it: an absolute path, as describe lists them."},
    "after": {"description": "Only images taken on this date or later: 2024, 2024-05 or 2024-05-01."},
    "before": {"description": "Only images taken before this date."},
    "camera": {"description": "Only images of this camera: any part of its name."},
    "lens": {"description": "Only images of this lens: any part of its name."},
    "tag": {"description": "Only images to which the user has given this tag, or one below it."},
    "album": {"description": "Only images in this album of the user."},
    "favourite": {"type": "boolean", "description": "Only favourites of the user."},
    "rating": {"type": "integer", "minimum": 1, "maximum": 5, "description": "At least so many stars."},
    "place": {"description": "Only images taken in or near this town, or in this country: Zurich, or Italy."},
    "within": {**_NUMBERS, "description": "Only images taken in a rectangle: [south, west, north, east] in degrees."},
    "around": {**_NUMBERS, "description": "Only images taken near a place: [latitude, longitude, kilometres]."},
}
_ID = {"type": "integer", "minimum": 0, "description": "Of an image: the id that search and similar return."}
_PATH = {"type": "string", "description": "Path of an image, instead of the id; it must be in the index."}
_RESULTS = {
    "n": {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_RESULTS,
        "default": DEFAULT_RESULTS,
        "description": "How many images.",
    },
    "thumbnails": {"type": "boolean", "default": True, "description": "Return a small JPEG of each image."},
    **{name: {"type": "string", **_FILTERS[name]} for name in (*FILTERS, "place")},
}
TOOLS: dict[str, tuple[str, str, dict[str, Any]]] = {  # title, description, and properties of the arguments
    "search": (
        "Search images",
        "Find images by words that describe what they show, such as 'a dog on a beach'. Returns paths, ids, dates and "
        "thumbnails, the nearest first; without a query the newest images that pass the filters. A video has the "
        "seconds of its best moment.",
        {
            "query": {
                "type": "string",
                "description": "What the image shows. 'horse + stripes - grass' adds and subtracts terms.",
            },
            "not": {
                "type": "array",
                "items": {"type": "string"},
                "description": "What it should not show.",
            },
            **_RESULTS,
        },
    ),
    "similar": (
        "Find similar images",
        "Find the images that look most like one that is in the index, by its id or path.",
        {"id": _ID, "path": _PATH, **_RESULTS},
    ),
    "describe": (
        "Describe an image or the index",
        "With an id or a path: when and where an image was taken, its size, tags, copies, and a larger thumbnail. "
        "Without arguments: how many images there are, their folders, cameras, lenses, tags and albums, and the model.",
        {"id": _ID, "path": _PATH},
    ),
}


def schema(name: str) -> dict[str, Any]:
    """Return the JSON schema of the arguments of a tool."""
    properties = TOOLS[name][2]
    return {"type": "object", "properties": properties, "additionalProperties": False}
