"""EMBEDDINGS → MAP: a page on which pictures that are alike lie close together."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from numpyclip.errors import InputError
from numpyclip.images.open import Picture, open_picture
from numpyclip.model.ops import Array
from numpyclip.viz.thumbnail import thumbnail

_TEMPLATE = Path(__file__).parents[1] / "data" / "map.html"
_SIDE = 56  # of thumbnails, in pixels


def principal_components(embeddings: ArrayLike, count: int = 2) -> Array:
    """Project embeddings onto the directions in which they differ most (Pearson, 1901).

    Parameters
    ----------
    embeddings : array_like of shape (n, e)
    count : int, default=2

    Returns
    -------
    ndarray of shape (n, count), dtype=float32
        The same for the same embeddings: each direction points to where its largest weight is positive. Where they
        differ in fewer directions, the others are 0.

    Raises
    ------
    InputError
        If they are no finite numbers of such a shape.
    """
    rows = np.asarray(embeddings, np.float64)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise InputError(f"embeddings have shape {rows.shape}; expected (n, e), and finite numbers only.")
    points = np.zeros((len(rows), count), np.float32)
    if not rows.size:
        return points
    centred = rows - rows.mean(axis=0)
    _, spread, directions = np.linalg.svd(centred, full_matrices=False)
    differs = spread[:count] > np.finfo(np.float32).eps * np.linalg.norm(rows)
    found = directions[:count][differs]
    largest = np.abs(found).argmax(axis=1)
    signs = np.sign(found[np.arange(len(found)), largest])
    points[:, : len(found)] = centred @ (found * signs[:, np.newaxis]).T
    return points


def thumbnail_uri(picture: Picture, *, orient: bool = True) -> str:
    """Make a small picture that a page can contain: a data URI of WebP, about 1 kB.

    Raises
    ------
    PictureError
        If the picture cannot be read.
    """
    file = io.BytesIO()
    thumbnail(open_picture(picture, orient=orient, draft_size=2 * _SIDE), _SIDE).save(file, "WEBP", quality=70)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def map_page(points: Array, names: Sequence[str], thumbnails: Iterable[str], title: str) -> str:
    """Write a page of HTML that needs nothing else, and that no browser lets reach the network.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Places of the pictures: to the right, and up.
    names : sequence of str
        Of the pictures, whatever is in them.
    thumbnails : iterable of str
        Data URIs, from `thumbnail_uri`.
    title : str

    Returns
    -------
    str
        ASCII only.
    """
    if np.shape(points) != (len(names), 2):
        raise InputError(f"there are {len(names)} names for points of shape {np.shape(points)}; expected (n, 2).")
    if not np.isfinite(points).all():
        raise InputError("points hold NaN or are infinite; expected numbers.")
    if len(uris := list(thumbnails)) != len(names):
        raise InputError(f"there are {len(names)} names and {len(uris)} thumbnails; expected as many.")
    places = np.asarray(points, float) / max(float(np.abs(points).max(initial=0)), 1e-9)
    pictures = [
        [round(x, 4), round(y, 4), name, uri] for (x, y), name, uri in zip(places.tolist(), names, uris, strict=True)
    ]
    page = _TEMPLATE.read_text("utf-8")
    style, script = (_hash(_between(page, tag)) for tag in ("style", "script"))
    parts = {
        "POLICY": f"default-src 'none'; img-src data:; style-src {style}; script-src {script}",
        "TITLE": html.escape(title).encode("ascii", "xmlcharrefreplace").decode("ascii"),
        "PICTURES": _as_json(pictures),
    }
    return re.sub("|".join(f"@{name}@" for name in parts), lambda found: parts[found[0].strip("@")], page)


def _between(page: str, tag: str) -> str:
    return page.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]


def _hash(text: str) -> str:
    """Name a text in a content security policy, so that no other is run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _as_json(value: object) -> str:
    """Write JSON that cannot end the element of HTML that it stands in."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
