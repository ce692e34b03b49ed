"""The shape of clip-retrieval's backend, for its client and its web page.

Source: github.com/rom1504/clip-retrieval, clip_retrieval/clip_back.py and clip_client.py.
"""

from __future__ import annotations

import base64
import contextlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from numpyclip.errors import PictureError
from numpyclip.index.records import Match, Modality
from numpyclip.model.ops import Array, normalize
from numpyclip.runtime.validation import checked_embeddings
from numpyclip.server.problems import bad_request
from numpyclip.server.service import Service
from numpyclip.server.thumbnails import thumbnail_bytes
from numpyclip.server.wire import Fields, JSONResponse, json_fields

_MOST = 1000
_ALIKE = 0.94  # clip-retrieval's threshold of a duplicate
_NAME = "numpyclip"
_SIDE = 256


async def indices_list(request: Request) -> Response:
    """Name the index, which requests may call as they like."""
    return JSONResponse([_NAME])


async def knn_service(request: Request) -> Response:
    """Find what is nearest to a text, a picture or an embedding.

    Its filters need models that are not here: `use_safety_model`, `use_violence_detector` and the aesthetic score
    change nothing, as in a backend that was started without them.
    """
    service: Service = request.app.state.service
    fields = await json_fields(request)
    modality = fields.text("modality", "image")
    modalities: dict[str | None, Modality] = {"image": "pictures", "text": "texts"}
    if modality not in modalities:
        raise bad_request(f"modality is {modality!r:.60}; expected image or text.")
    shown = fields.number("num_images", 40, _MOST)
    n = fields.number("num_result_ids", shown, _MOST)
    query = await _query(service, fields)
    results = await service.in_thread(
        _search, service, query, n, modalities[modality], shown, fields.flag("deduplicate")
    )
    return JSONResponse(results)


async def metadata(request: Request) -> Response:
    """Tell what is known of pictures, by their numbers."""
    service: Service = request.app.state.service
    numbers = (await json_fields(request)).values.get("ids")
    if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n < 1 << 63 for n in numbers[:_MOST]):
        raise bad_request("ids: expected a list of numbers.")

    def known() -> list[dict[str, Any]]:
        store = service.index().store
        found = [(number, store.picture(number)) for number in numbers[:_MOST]]
        return [{"id": number, "metadata": _described(match)} for number, match in found if match is not None]

    return JSONResponse(await service.in_thread(known))


async def _query(service: Service, fields: Fields) -> Array:
    """Embed what is looked for, in the order in which clip-retrieval prefers them."""
    if text := fields.text("text"):
        return await service.embed_texts([text])
    if picture := fields.text("image") or fields.text("image_url"):
        return await service.embed_pictures([picture])
    given = fields.values.get("embedding_input")
    if given is None:
        raise bad_request("nothing to look for: expected text, image, image_url or embedding_input.")
    try:
        embedding = np.asarray(given, np.float64).reshape(1, -1)
    except (TypeError, ValueError) as error:
        raise bad_request("embedding_input: expected a list of numbers.") from error
    if not (np.isfinite(embedding).all() and np.abs(embedding).max(initial=0) < math.sqrt(np.finfo(np.float32).max)):
        raise bad_request("embedding_input: expected numbers that are finite.")
    return normalize(checked_embeddings(embedding.astype(np.float32), service.model.config.embed_dim, "queries"))


def _search(
    service: Service, query: Array, n: int, modality: Modality, shown: int, deduplicate: bool
) -> list[dict[str, Any]]:
    matches: list[Match] = service.index().search_embedding(query[0], n, modality=modality)
    if deduplicate:
        matches = _different(matches)
    return [
        {**(_described(match) if number < shown else {}), "id": match.id, "similarity": match.cosine}
        for number, match in enumerate(matches)
    ]


def _described(match: Match) -> dict[str, Any]:
    """Say what clip-retrieval's clients show: a caption, and the picture itself in base64."""
    if match.path is None:
        return {"caption": match.text}
    described: dict[str, Any] = {"image_path": match.path, "url": f"/thumbnails/{match.id}"}
    with contextlib.suppress(PictureError):  # it is gone since it was indexed
        described["image"] = base64.b64encode(thumbnail_bytes(match.path, _SIDE)).decode("ascii")
    return described


def _different(matches: Sequence[Match]) -> list[Match]:
    """Keep the best of each group of pictures that are alike, directly or through others."""
    if not matches:
        return []
    embeddings = np.stack([match.embedding for match in matches])
    alike = embeddings @ embeddings.T > _ALIKE
    group = np.arange(len(matches))
    for row in range(len(matches)):
        joined = np.unique(group[alike[row]])
        group[np.isin(group, joined)] = joined[0] if joined.size else group[row]
    _, first = np.unique(group, return_index=True)
    return [matches[row] for row in sorted(first)]
