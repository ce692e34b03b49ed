"""Results page by page, from where the last page ended."""

import base64
from pathlib import Path

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.exif import Exif
from numpyclip.index.records import WHOLE
from tests.index.filled import made_index
from tests.server.conftest import Client, Png, Serve


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory, tiny: CLIP) -> str:
    """An index of 2,500 pictures that are not there."""
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((2500, tiny.config.embed_dim)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    pictures = {f"/photos/{number:05}.jpg": (Exif(4, 3), {WHOLE: row}) for number, row in enumerate(embeddings)}
    return made_index(str(tmp_path_factory.mktemp("large") / "store"), tiny, pictures)


@pytest.mark.parametrize("query", ["q=a+house", ""])
def test_there_is_no_end_at_a_thousand(serve: Serve, large: str, query: str) -> None:
    client = serve(store=large)
    answer = client.get(f"/search?{query}&n=1000").json
    assert answer["searched"] == 2500
    found = answer["matches"]
    while answer["next"] is not None:
        answer = client.get(f"/search?n=1000&cursor={answer['next']}").json
        found += answer["matches"]
    assert len({match["id"] for match in found}) == len(found) == 2500
    order = [match["cosine"] if query else match["date"] for match in found]
    assert order == sorted(order, reverse=True)


def test_a_cursor_stands_for_words_and_images(client: Client, png: Png) -> None:
    for fields in ([("query", "a bird + a house")], [("image", png("cookie"))]):
        expected = client.form("/search", [*fields, ("n", "9")]).json["matches"]
        first = client.form("/search", [*fields, ("n", "2")]).json
        second = client.form("/search", [("cursor", first["next"]), ("n", "2")]).json
        assert [m["id"] for m in first["matches"] + second["matches"]] == [m["id"] for m in expected[:4]]
        assert "searched" in first and "searched" not in second
    probabilities = client.get("/search?q=a+bird&n=4").json["matches"][2:]
    first = client.get("/search?q=a+bird&n=2").json
    assert client.get(f"/search?n=2&cursor={first['next']}").json["matches"] == probabilities


def test_what_is_no_cursor(client: Client, tiny: CLIP) -> None:
    size = tiny.config.embed_dim
    unit = np.eye(1, size, dtype="<f4")
    written = base64.urlsafe_b64encode(unit.tobytes()).decode()
    assert client.get(f"/search?cursor=5.t.{written}").status == 200
    odd = [
        base64.urlsafe_b64encode(data).decode()
        for data in (unit.tobytes()[4:], (2 * unit).tobytes(), np.full((1, size), np.nan, "<f4").tobytes(), b"")
    ]
    for cursor in (
        *("5", "5.t", "5.t.", "x", f"-1.t.{written}", f"20001.t.{written}", f"{10**30}.t.{written}", f"5.x.{written}"),
        *(f"5.t.{data}" for data in odd),
        *("date.", "date.x", "date." + "9" * 5000, "date.2024-01-01T00:00:00.x", "date.%00.1"),
        "5.t.%F0%9F",
    ):
        answer = client.get(f"/search?cursor={cursor}")
        assert (answer.status, "cursor" in answer.message) == (400, True), cursor


def test_browsing_is_by_date(client: Client, drawings: Path) -> None:
    answer = client.get("/search?before=2026").json
    assert [match["date"][:4] for match in answer["matches"]] == [str(year) for year in range(2025, 2019, -1)]
    assert (answer["order"], answer["searched"], answer["next"]) == ("date", 6, None)
    assert "cosine" not in answer["matches"][0]
    assert client.get("/search?in=texts").status == 400
