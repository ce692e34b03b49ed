"""The requests that Immich's server sends, as its documentation and its source have them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from tests.picture_files import ORIENTATION
from tests.server.conftest import Client, Png, Serve


def entries(kind: str, name: str = "tiny") -> str:
    return json.dumps({"clip": {kind: {"modelName": name, "options": {}}}})


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
        ([("text", "a")], 422, "expected one task of Immich's"),
        ([("entries", "{"), ("text", "a")], 422, "expected one task"),
        ([("entries", "7"), ("text", "a")], 422, "expected one task"),
        ([("entries", '{"clip": {"visual": {}}}')], 422, "expected one task"),
        ([("entries", '{"facial-recognition": {"detection": {"modelName": "buffalo_l"}}}')], 422, "does clip only"),
        ([("entries", entries("textual"))], 400, "the field `text`"),
        ([("entries", entries("visual"))], 400, "the file `image`"),
        ([("entries", entries("visual")), ("image", "no file")], 400, "the file `image`"),
        ([("entries", entries("visual")), ("image", b"no picture")], 400, "cannot be read as a picture"),
        ([("entries", entries("textual", "ViT-B-32__openai")), ("text", "a")], 404, "this server has tiny"),
    ],
)
def test_what_cannot_be_answered(
    client: Client, fields: list[tuple[str, str | bytes]], status: int, message: str
) -> None:
    answer = client.form("/predict", fields)
    assert (answer.status, message in answer.message) == (status, True), answer.message


def test_a_form_that_ends_early(client: Client) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="entries"\r\n\r\n{'
    assert client("POST", "/predict", body, Content_Type="multipart/form-data; boundary=x").status in (400, 422)
    assert client("POST", "/predict", body, Content_Type="multipart/form-data").status in (400, 422)


def test_a_model_may_have_immichs_name(serve: Serve) -> None:
    client = serve(model_names=("tiny", "ViT-B-32__openai"))
    answer = client.form("/predict", [("entries", entries("textual", "ViT-B-32__openai")), ("text", "a")])
    assert answer.status == 200


def test_immichs_name_may_be_spelled_otherwise_than_openclips(serve: Serve) -> None:
    client = serve(model_names=("xlm-roberta-base-ViT-B-32__laion5b_s13b_b90k", "ViT-B-32__laion2b_s34b_b79k"))
    for name in ("XLM-Roberta-Base-ViT-B-32__laion5b_s13b_b90k", "ViT-B-32__laion2b-s34b-b79k"):
        assert client.form("/predict", [("entries", entries("textual", name)), ("text", "a")]).status == 200
    answer = client.form("/predict", [("entries", entries("textual", "ViT-B-32__openai")), ("text", "a")])
    assert answer.status == 404
