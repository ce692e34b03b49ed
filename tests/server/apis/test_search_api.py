import base64
import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.exif import Exif
from numpyclip.index.index import Index
from numpyclip.index.stored_calibration import store_calibration
from numpyclip.tasks.background import Calibration
from tests.index.filled import made_index
from tests.picture_files import encoded
from tests.server.conftest import NAMES, Client, Png, Serve


def names(answer: Any) -> list[str]:
    assert answer.status == 200, answer.body
    return [match["name"] for match in answer.json["matches"]]


def number_of(client: Client, name: str) -> int:
    (number,) = [match["id"] for match in client.get("/search?q=a&n=99").json["matches"] if match["name"] == name]
    return int(number)


def test_words_find_what_the_index_finds(client: Client, tiny: CLIP, place: str) -> None:
    answer = client.get("/search?q=a%20house&n=4")
    with Index(place, tiny) as index:
        expected = index.search("a house", 4)
        assert answer.json["cutoff"] == pytest.approx(expected.cutoff)
    found = [(m["path"], m["id"]) for m in answer.json["matches"]]
    assert found == [(match.path, match.id) for match in expected]
    probabilities = [m["probability"] for m in answer.json["matches"]]
    assert probabilities == pytest.approx([match.probability for match in expected], abs=1e-6)
    assert answer.json["best"] == pytest.approx(max(probabilities), abs=1e-6)


def test_json_forms_and_addresses_say_the_same(client: Client) -> None:
    expected = names(client.get("/search?q=a+bird&n=3"))
    assert names(client.post("/search", {"query": "a bird", "n": 3})) == expected
    assert names(client.form("/search", [("query", "a bird"), ("n", "3")])) == expected


def test_gibberish_has_no_match_but_something_is_nearest(client: Client) -> None:
    answer = client.get("/search?q=qwxz+grmbl+fjord")
    assert answer.json["best"] < answer.json["cutoff"]
    assert len(names(answer)) == len(NAMES) + 1
    assert client.get("/search?q=qwxz+grmbl+fjord&strict=1").json["matches"] == []


def test_a_picture_that_is_sent_finds_itself(client: Client, png: Png) -> None:
    answer = client.form("/search", [("image", png("cookie")), ("n", "2")])
    assert names(answer)[0] == "cookie.jpg"
    assert answer.json["matches"][0]["cosine"] > 0.99
    assert answer.json["cutoff"] is None
    assert "probability" not in answer.json["matches"][0]
    uri = "data:image/png;base64," + base64.b64encode(png("cookie")).decode()
    assert names(client.post("/search", {"image": uri, "n": 2})) == names(answer)


def test_a_picture_of_the_index_finds_itself(client: Client) -> None:
    number = number_of(client, "camera.jpg")
    answer = client.get(f"/search?near={number}&n=1")
    assert (names(answer), answer.json["matches"][0]["cosine"]) == (["camera.jpg"], pytest.approx(1, abs=1e-6))
    assert client.get("/search?near=12345").status == 404
    assert client.get("/search?near=-1").status == 400
    assert client.get(f"/search?near={10**30}").status == 400


def test_mixtures_are_sums(client: Client, drawings: Path, tiny: CLIP, png: Png) -> None:
    answer = client.form("/search", [("query", "2*a house - a boat"), ("image", png("bird")), ("not", "night")])
    texts = tiny.embed_texts(["a house", "a boat", "night"])
    total = 2 * texts[0] - texts[1] - texts[2] + tiny.embed_images(png("bird"))[0]
    total /= np.linalg.norm(total)
    first = answer.json["matches"][0]
    (expected,) = tiny.embed_images(next(drawings.rglob(first["name"].replace(r"\xff", "*"))))[0] @ total[:, np.newaxis]
    assert first["cosine"] == pytest.approx(float(expected), abs=1e-5)


def test_filters(client: Client, drawings: Path) -> None:
    more = {f"{name}.jpg" for name in NAMES[1::2]}
    assert set(names(client.get(f"/search?q=a&folder={quote(str(drawings / 'more'))}"))) == more
    assert set(names(client.get("/search?q=a&before=2021"))) == {"bird.jpg"}
    assert set(names(client.get("/search?q=a&after=2022&before=2023"))) == {"camera.jpg"}
    answer = client.get("/search?q=a&after=yesterday")
    assert (answer.status, "is no date" in answer.message) == (400, True)


def test_texts_are_the_other_modality(client: Client, png: Png) -> None:
    answer = client.form("/search", [("in", "texts"), ("image", png("butterfly"))])
    assert answer.json["matches"][0]["text"] == "a butterfly"
    assert "thumbnail" not in answer.json["matches"][0]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_is_a_text_and_no_file_is_looked_at(client: Client, drawings: Path, method: str) -> None:
    path = str(drawings / "bird.jpg")
    body = json.dumps({"query": path}).encode() if method == "POST" else None
    answer = client(method, f"/search?q={quote(path)}", body)
    assert answer.json["cutoff"] is not None  # a single text, however it ends
    assert answer.json["matches"][0]["cosine"] < 0.9999


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("not=a", "the query is empty"),
        ("in=texts", "the query is empty"),
        ("q=a&n=0", "above 0"),
        ("q=a&n=x", "above 0"),
        (f"q=a&n={'9' * 5000}", "above 0"),
        ("q=a&in=sounds", "expected pictures or texts"),
        ("q=a&in=texts&after=2024", "texts have no folder and no date"),
        ("q=a&before=2024-02-30", "is no date"),
        ("q=a+%2B+", "a term is missing"),
        ("q=cat+-+cat", "cancel each other"),
        ("q=" + "+%2B+".join("a" * 40), "40 terms"),
        ("q=0*cat", "all weights are 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(client: Client, query: str, message: str) -> None:
    answer = client.get(f"/search?{query}")
    assert (answer.status, message in answer.message) == (400, True), answer.message


def test_any_name_of_a_file_can_be_written(client: Client) -> None:
    found = [m for m in client.get("/search?q=a").json["matches"] if m["name"] == r"na\xffme.png"]
    assert len(found) == 1
    assert client.get("/" + found[0]["thumbnail"]).status == 200


def test_what_is_no_file_here_is_shown_by_its_place(serve: Serve, elsewhere: str) -> None:
    client = serve(store=elsewhere)
    matches = client.get("/search?q=a+bird").json["matches"]
    assert [(match["path"], match["name"], match.get("thumbnail")) for match in matches] == [
        ("https://x.org/a.jpg", "a.jpg", None),
        ("s3://b/00000.tar/s/000", "000", None),
    ]
    answer = client.get(f"/thumbnails/{matches[0]['id']}")
    assert (answer.status, answer.message) == (
        404,
        "https://x.org/a.jpg: is not a file on this server, so it has no thumbnail.",
    )
    found = client.post("/knn-service", {"text": "a bird", "modality": "image"}).json
    assert [(row["image_path"], row.get("url"), row.get("image")) for row in found] == [
        ("https://x.org/a.jpg", "https://x.org/a.jpg", None),
        ("s3://b/00000.tar/s/000", None, None),
    ]


def test_how_to_repair_an_index_is_for_the_log_only(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "index.sqlite").write_bytes(b"no database" * 100)
    answer = serve(store=str(tmp_path)).get("/search?q=a")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    assert answer.message == "the index cannot be read at the moment; the server's log says why."
    assert str(tmp_path) in caplog.text


def test_an_index_may_come_later(serve: Serve, tiny: CLIP, tmp_path: Path, drawings: Path) -> None:
    client = serve(store=str(tmp_path / "store"))
    answer = client.get("/search?q=a")
    assert (answer.status, "there is no index to search" in answer.message) == (404, True)
    assert client.post("/v1/embeddings", {"input": "a"}).status == 200
    with Index(tmp_path / "store", tiny, create=True) as index:
        index.update([drawings])
    assert client.get("/search?q=a+house").status == 200
    described = client.get("/index").json
    assert (described["pictures"], described["folders"]) == (len(NAMES) + 1, [str(drawings)])
    assert (described["model"], described["text_model"], described["dimensions"]) == ("tiny", None, 128)


def test_the_text_model_of_the_index_and_that_of_queries_are_named(serve: Serve, tiny: CLIP, tmp_path: Path) -> None:
    client = serve(store=str(tmp_path / "store"), text_model="of the server")
    with Index(tmp_path / "store", tiny, create=True) as index, index.store.writing():
        index.store.begin(tiny.fingerprint, 128)
        index.store.remember_model(tiny.fingerprint, '{"model": "tiny", "text_model": "of the index"}')
    described = client.get("/index").json
    assert (described["text_model"], described["query_text_model"]) == ("of the index", "of the server")


def test_an_index_of_another_model_is_not_searched(serve: Serve, tmp_path: Path, tiny: CLIP, drawings: Path) -> None:
    client = serve(store=str(tmp_path / "store"))
    with Index(tmp_path / "store", tiny, create=True) as index:
        index.update([drawings])
        assert client.get("/search?q=a").status == 200
        other = replace(tiny.fingerprint, weights="0" * 64, weights_float16="0" * 64)
        with index.store.writing():
            index.store.replace_fingerprint(other)
    answer = client.get("/search?q=a")
    assert (answer.status, "another model" in answer.message) == (503, True)


def test_an_index_that_is_rebuilt_in_another_precision_is_searched_with_a_warning(
    serve: Serve, tmp_path: Path, tiny: CLIP, drawings: Path
) -> None:
    client = serve(store=str(tmp_path / "store"))
    with Index(tmp_path / "store", tiny, create=True) as index:
        index.update([drawings])
        assert client.get("/search?q=a").status == 200
        with index.store.writing():
            index.store.replace_fingerprint(replace(tiny.fingerprint, precision="bfloat16"))
    with pytest.warns(UserWarning, match="computed in bfloat16, not in float32: comparable") as warned:
        assert [client.get("/search?q=a").status for _ in range(2)] == [200, 200]
    assert len(warned) == 1


def test_a_calibration_is_used_as_soon_as_it_is_stored(
    serve: Serve, tmp_path: Path, tiny: CLIP, drawings: Path
) -> None:
    client = serve(store=str(tmp_path / "store"))
    with Index(tmp_path / "store", tiny, create=True) as index:
        index.update([drawings])
        before = client.get("/search?q=a+house").json
        store_calibration(index.store, tiny, Calibration(fit=0.5, searched=0.0))
        after = client.get("/search?q=a+house").json
    assert before["cutoff"] > 0.5 == after["cutoff"]
    assert after["matches"][0]["probability"] < before["matches"][0]["probability"]


def test_without_an_index_there_is_no_search(serve: Serve) -> None:
    client = serve(store=None)
    for path in ("/search?q=a", "/index", "/thumbnails/1"):
        assert client.get(path).status == 404


def test_classify(client: Client, tiny: CLIP, png: Png) -> None:
    fields: list[tuple[str, str | bytes]] = [("image", png("house")), ("template", "a drawing of a {}")]
    labels = ["house", "bird", "castle"]
    answer = client.form("/classify", [*fields, *(("labels", label) for label in labels)])
    ((best, *rest),) = answer.json["predictions"]
    expected = tiny.classify(png("house"), labels, template="a drawing of a {}")[0]
    assert {p["label"]: p["probability"] for p in (best, *rest)} == pytest.approx(
        dict(zip(labels, expected.tolist(), strict=True)), abs=1e-5
    )
    assert best["label"] == "house"
    uris = ["data:image/png;base64," + base64.b64encode(png(name)).decode() for name in ("house", "bird")]
    answer = client.post("/classify", {"image": uris, "labels": labels})
    assert [predictions[0]["label"] for predictions in answer.json["predictions"]] == ["house", "bird"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"labels": ["a"]}, "0 inputs"),
        ({"image": "aGVsbG8=", "labels": []}, "0 inputs"),
        ({"image": "aGVsbG8=", "labels": "dog"}, "cannot be read as an image"),
        ({"image": 7, "labels": "dog"}, "expected one or more files or data URIs"),
        ({"image": "aGVsbG8=", "labels": "dog", "template": "no braces"}, "template"),
        ({"image": "aGVsbG8=", "labels": ["dog " * 100]}, "tokens"),
    ],
)
def test_what_cannot_be_classified(client: Client, body: object, message: str) -> None:
    answer = client.post("/classify", body)
    assert (answer.status, message in answer.message) == (400, True), answer.message


def test_health_and_metrics(client: Client, png: Png) -> None:
    assert client.get("/healthz").json["status"] == "ok"
    client.get("/search?q=a+house")
    client.form("/search", [("image", png("bird"))])
    client.get("/nowhere/at/all")
    text = client.get("/metrics").body.decode()
    assert 'numpyclip_requests_total{route="/search",status="200"}' in text
    assert 'numpyclip_requests_total{route="none",status="404"}' in text
    assert "nowhere" not in text
    assert "numpyclip_waiting 0.0" in text
    assert 'numpyclip_batch_size_count{kind="images"}' in text
    assert 'numpyclip_embedded_total{kind="texts"}' in text


def test_answers_are_ascii(client: Client) -> None:
    assert json.loads(client.get("/search?q=a").body.decode("ascii"))


def test_a_large_image_in_a_slow_format_is_refused(client: Client) -> None:
    for side, status in ((1000, 200), (1001, 400)):
        data = encoded(Image.new("RGB", (side, 1000)), "JPEG2000")
        assert client.form("/search", [("image", data)]).status == status
    assert client.form("/search", [("image", data[:40])]).status == 400


def test_the_page_may_have_responses_compressed(client: Client) -> None:
    plain = client.get("/search?q=a+house")
    for accepted in ("gzip", "br, GZip;q=0.5", "deflate,gzip"):
        answer = client.get("/search?q=a+house", Accept_Encoding=accepted)
        assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
        assert gzip.decompress(answer.body) == plain.body
        assert len(answer.body) < len(plain.body) / 2
    for accepted in ("", "identity", "gzip;q=0", "gzip; q=0.0, br", "xgzip", "gzip" * 5000):
        assert "Content-Encoding" not in client.get("/search?q=a+house", Accept_Encoding=accepted).headers, accepted
    for path in ("/thumbnails/1", "/original/1", "/healthz"):
        assert "Content-Encoding" not in client.get(path, Accept_Encoding="gzip").headers


def test_a_moment_of_a_video_is_searched_with(serve: Serve, tiny: CLIP, tmp_path: Path) -> None:
    one, other = tiny.embed_texts(["a bird", "a house"])
    parts = {"clip.mp4": {"0.5": one, "2.5": other}, "bird.jpg": {"": one}, "house.jpg": {"": other}}
    pictures = {f"/photos/{name}": (Exif(4, 3), embeddings) for name, embeddings in parts.items()}
    client = serve(store=made_index(str(tmp_path / "store"), tiny, pictures))
    video = number_of(client, "clip.mp4")
    for part, nearest in (("", "bird.jpg"), ("@0.5", "bird.jpg"), ("@2.5", "house.jpg")):
        for answer in (client.get(f"/search?near={video}{part}"), client.post("/search", {"near": [f"{video}{part}"]})):
            assert {*names(answer)[:2]} == {"clip.mp4", nearest}, part
    asked = {"ids": [f"{video}@0.5", f"{video}@2.5", video], "labels": ["a bird", "a house"]}
    first, second, whole = client.post("/classify", asked).json["predictions"]
    assert first == whole != second
    assert client.get(f"/search?near={video}@7").status == 404
    for wrong in ("@2.5", f"{video}@", f"{video}@-1", f"{video}@x@y", f"{video}@" + "9" * 5000):
        assert client.get(f"/search?near={wrong}").status == 400, wrong[:20]


def test_texts_are_not_grouped(client: Client) -> None:
    matches = client.get("/search?in=texts&q=a+bird&group=1").json["matches"]
    assert matches and not any("like" in match for match in matches)
