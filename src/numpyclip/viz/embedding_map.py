"""EMBEDDINGS → MAP: an HTML page on which similar images are close together."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from numpyclip.errors import InputError
from numpyclip.escaping import column, json_text, printable
from numpyclip.images.decode_options import DEFAULTS, DecodeOptions
from numpyclip.images.open import Picture
from numpyclip.model.ops import Array
from numpyclip.viz.thumbnail import read_thumbnail

_TEMPLATE = Path(__file__).parents[1] / "data" / "map.html"
_SIDE = 56  # of thumbnails, in pixels


def principal_components(embeddings: ArrayLike, count: int = 2) -> Array:
    """Project embeddings onto their first principal components (Pearson, 1901).

    Parameters
    ----------
    embeddings : array_like of shape (n, e)
    count : int, default=2

    Returns
    -------
    ndarray of shape (n, count), dtype=float32
        Deterministic: the largest weight of each component is positive. Components beyond the rank are 0.

    Raises
    ------
    InputError
        If they are not finite numbers of such a shape.
    """
    rows = np.asarray(embeddings, np.float64)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise InputError(f"embeddings have shape {rows.shape}; expected (n, e), of finite numbers.")
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


def thumbnail_uri(picture: Picture, options: DecodeOptions = DEFAULTS) -> str:
    """Return the thumbnail of an image as a data URI of WebP, about 1 kB; PictureError if it cannot be read."""
    file = io.BytesIO()
    read_thumbnail(picture, _SIDE, options).save(file, "WEBP", quality=70)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def map_page(points: Array, names: Sequence[str], thumbnails: Iterable[str], title: str) -> str:
    """Write a self-contained HTML page, in ASCII, whose content security policy forbids the network.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Coordinates of the images: to the right, and up.
    names : sequence of str
        Of the images; may be untrusted, and are shown as `numpyclip.escaping.column` writes them.
    thumbnails : iterable of str
        Data URIs, from `thumbnail_uri`.
    title : str
    """
    if np.shape(points) != (len(names), 2):
        raise InputError(f"there are {len(names)} names for points of shape {np.shape(points)}; expected (n, 2).")
    if not np.isfinite(points).all():
        raise InputError("points hold NaN or are infinite; expected numbers.")
    if len(uris := list(thumbnails)) != len(names):
        raise InputError(f"there are {len(names)} names and {len(uris)} thumbnails; expected equal counts.")
    coordinates = np.asarray(points, float) / max(float(np.abs(points).max(initial=0)), 1e-9)
    images = [
        [round(x, 4), round(y, 4), column(name), uri]
        for (x, y), name, uri in zip(coordinates.tolist(), names, uris, strict=True)
    ]
    page = _TEMPLATE.read_text("utf-8")
    style, script = (_hash(page.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]) for tag in ("style", "script"))
    parts = {
        "POLICY": f"default-src 'none'; img-src data:; style-src {style}; script-src {script}",
        "TITLE": html.escape(printable(title)).encode("ascii", "xmlcharrefreplace").decode("ascii"),
        "PICTURES": _as_json(images),
    }
    return re.sub("|".join(f"@{name}@" for name in parts), lambda found: parts[found[0].strip("@")], page)


def _hash(text: str) -> str:
    """Return the hash of an inline style or script for a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _as_json(value: object) -> str:
    """Write JSON that cannot end the HTML element that contains it."""
    return json_text(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
