"""The requests that Immich's server sends, as its documentation and its source have them."""

import http.server
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.server import Settings, create_app
from numpyclip.server.outgoing.immich_forward import forward_target
from tests.http_server import running
from tests.picture_files import ORIENTATION
from tests.server.conftest import Client, Png, Serve
from tests.server.conftest import running as serving


def entries(kind: str, name: str = "tiny") -> str:
    return json.dumps({"clip": {kind: {"modelName": name, "options": {}}}})


FACES = '{"facial-recognition": {"detection": {"modelName": "buffalo_l", "options": {"minScore": 0.7}}}}'
BOTH = '{"clip": {"visual": {"modelName": "tiny"}, "textual": {"modelName": "tiny"}}}'


def test_it_is_found(client: Client) -> None:
    assert client.get("/ping").body == b"pong"
    assert client.get("/").json == {"message": "Immich ML"}


def test_a_picture(client: Client, tiny: CLIP, png: Png) -> None:
    answer = client.form("/predict", [("entries", entries("visual")), ("image", png("bird"))])
    assert (answer.status, set(answer.json)) == (200, {"clip", "imageHeight", "imageWidth"})
    assert (answer.json["imageHeight"], answer.json["imageWidth"]) == (64, 64)
    assert isinstance(answer.json["clip"], str)  # which goes to the database as it is
    np.testing.assert_allclose(json.loads(answer.json["clip"]), tiny.embed_images(png("bird"))[0], atol=1e-6)


@pytest.mark.parametrize("draft", [True, False])
def test_a_large_picture_is_decoded_as_the_index_does_it(
    serve: Serve, tiny: CLIP, emoji: dict[str, Image.Image], tmp_path: Path, draft: bool
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    large = tmp_path / "large.jpg"
    emoji["bird"].resize((1024, 512)).save(large, exif=exif)
    found = serve(draft=draft).form("/predict", [("entries", entries("visual")), ("image", large.read_bytes())]).json
    expected, other = (tiny.embed_images(large, orient=True, draft=reduced)[0] for reduced in (draft, not draft))
    np.testing.assert_allclose(json.loads(found["clip"]), expected, rtol=0, atol=1e-6)
    assert np.abs(other - expected).max() > 1e-4
    assert (found["imageWidth"], found["imageHeight"]) == (512, 1024)  # of the whole, upright


def test_a_text(client: Client, tiny: CLIP) -> None:
    answer = client.form("/predict", [("entries", entries("textual")), ("text", "a dog " * 90)])
    expected = tiny.embed_texts("a dog " * 90, truncate=True)[0]
    np.testing.assert_allclose(json.loads(answer.json["clip"]), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ([("text", "a")], 422, "expected tasks of Immich's"),
        ([("entries", "{"), ("text", "a")], 422, "expected tasks"),
        ([("entries", "7"), ("text", "a")], 422, "expected tasks"),
        ([("entries", "{}"), ("text", "a")], 422, "expected at least one task"),
        ([("entries", '{"clip": {}}'), ("text", "a")], 422, "expected at least one task"),
        ([("entries", '{"clip": {"visual": {}}}')], 422, "expected tasks"),
        ([("entries", '{"clip": {"visual": {"modelName": 5}}}')], 422, "expected tasks"),
        ([("entries", FACES), ("image", b"x")], 422, "supports clip only"),
        (
            [("entries", BOTH.replace("}}}", '}}, "ocr": {"detection": {"modelName": "m"}}}')), ("text", "a")],
            422,
            "'ocr'",
        ),
        ([("entries", '{"clip": {"other": {"modelName": "tiny"}}}'), ("text", "a")], 400, "asks for 'other', and"),
        ([("entries", entries("textual"))], 400, "the field `text`"),
        ([("entries", entries("visual"))], 400, "the file `image`"),
        (
            [("entries", entries("visual")), ("text", "a")],
            400,
            "asks for 'visual', and the request has the field `text`",
        ),
        ([("entries", entries("visual")), ("image", "no file")], 400, "expected one file"),
        ([("entries", entries("visual")), ("image", b"no picture")], 400, "cannot be read as an image"),
        ([("entries", entries("textual", "ViT-B-32__openai")), ("text", "a")], 404, "this server has tiny"),
    ],
)
def test_what_cannot_be_answered(
    client: Client, fields: list[tuple[str, str | bytes]], status: int, message: str
) -> None:
    answer = client.form("/predict", fields)
    assert (answer.status, message in answer.message) == (status, True), answer.message


@pytest.mark.parametrize("has_image", [True, False])
def test_two_tasks_of_which_the_image_counts_as_in_immich(
    client: Client, tiny: CLIP, png: Png, has_image: bool
) -> None:
    image: list[tuple[str, str | bytes]] = [("image", png("bird"))] if has_image else []
    answer = client.form("/predict", [("entries", BOTH), ("text", "a dog"), *image])
    expected = tiny.embed_images(png("bird")) if has_image else tiny.embed_texts("a dog")
    np.testing.assert_allclose(json.loads(answer.json["clip"]), expected[0], atol=1e-6)
    assert ("imageHeight" in answer.json) == has_image


@pytest.fixture
def immich() -> Iterator[tuple[str, list[bytes]]]:
    """Immich's own server: its URL, and what it was sent."""
    sent = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers.get("Authorization") is None
            answer = b'{"facial-recognition": [], "imageHeight": 64, "imageWidth": 64}'
            if b"too much" in sent[-1]:
                answer = b" " * (9 << 20)
            if b"a page" in sent[-1]:
                answer = b"<html>"
            self.send_response(500 if b"fail" in sent[-1] else 302 if b"elsewhere" in sent[-1] else 200)
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Set-Cookie", "a=b")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None: ...

    with running(Handler) as url:
        yield url, sent


def test_other_tasks_are_forwarded(serve: Serve, immich: tuple[str, list[bytes]], png: Png) -> None:
    url, sent = immich
    client = serve(immich_forward=url, token="secret")
    answer = client.form("/predict", [("entries", FACES), ("image", png("bird"))], Authorization="Bearer secret")
    assert (answer.status, answer.json) == (200, {"facial-recognition": [], "imageHeight": 64, "imageWidth": 64})
    assert "Set-Cookie" not in answer.headers
    assert FACES.encode() in sent[0] and png("bird") in sent[0] and b"secret" not in sent[0]
    assert client.form("/predict", [("entries", FACES), ("text", "a")]).status == 401
    mixed = FACES[:-1] + ', "clip": {"visual": {"modelName": "tiny"}}}'
    answer = client.form("/predict", [("entries", mixed), ("image", png("bird"))], Authorization="Bearer secret")
    assert (answer.status, "expected one of them" in answer.message) == (422, True)
    clip = client.form("/predict", [("entries", entries("textual")), ("text", "a")], Authorization="Bearer secret")
    assert (clip.status, list(clip.json), len(sent)) == (200, ["clip"], 1)


@pytest.mark.parametrize("text", ["fail", "elsewhere", "too much", "a page"])
def test_what_immichs_server_cannot_do(serve: Serve, immich: tuple[str, list[bytes]], text: str) -> None:
    answer = serve(immich_forward=immich[0]).form("/predict", [("entries", FACES), ("text", text)])
    assert (answer.status, list(answer.json)) == (502, ["detail"])
    assert "Location" not in answer.headers


def test_a_server_that_forwards_to_itself_says_so(tiny: CLIP, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "numpyclip.access")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    app = create_app(tiny, "tiny", settings=Settings(immich_forward=f"http://127.0.0.1:{port}"))
    with serving(app, port=port) as client:
        answer = client.form("/predict", [("entries", FACES), ("image", b"x")])
        assert (answer.status, "answered 502" in answer.message) == (502, True)
        marked = client.form("/predict", [("entries", FACES), ("image", b"x")], Via="1.0 proxy, 1.1 numpyclip")
        assert (marked.status, marked.message) == (
            502,
            "--immich-forward leads to a server of numpyclip; expected Immich's own.",
        )
    assert sum("POST /predict" in record.getMessage() for record in caplog.records) == 3


def test_immichs_server_may_be_gone(serve: Serve) -> None:
    answer = serve(immich_forward="http://127.0.0.1:1").form("/predict", [("entries", FACES), ("image", b"x")])
    assert (answer.status, list(answer.json)) == (502, ["detail"])
    assert "does not answer (ConnectionRefusedError)" in answer.message


@pytest.mark.parametrize(
    "url",
    [
        "",
        "immich:3003",
        "ftp://immich",
        "http://",
        "http://a@immich:3003",
        "http://immich/predict",
        "http://[",
        "http://a:b",
    ],
)
def test_what_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"immich_forward is .*; expected the URL of a server, such as http"):
        forward_target(url)
    assert forward_target("http://immich-machine-learning:3003/").port == 3003


def test_immichs_name_may_be_spelled_otherwise_than_openclips(serve: Serve) -> None:
    client = serve(aliases=("xlm-roberta-base-ViT-B-32__laion5b_s13b_b90k", "ViT-B-32__laion2b_s34b_b79k"))
    for name in (
        "XLM-Roberta-Base-ViT-B-32__laion5b_s13b_b90k",
        "ViT-B-32__laion2b-s34b-b79k",
        "ViT-B-32::laion2b-s34b-b79k",
        "immich-app/ViT-B-32__laion2b-s34b-b79k",
    ):
        assert client.form("/predict", [("entries", entries("textual", name)), ("text", "a")]).status == 200
    answer = client.form("/predict", [("entries", entries("textual", "ViT-B-32__openai")), ("text", "a")])
    assert answer.status == 404
