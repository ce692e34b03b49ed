"""With the real client of OpenAI where it is installed, and in the forms that Infinity and vLLM document."""

import base64
from typing import Any

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.model.ops import normalize
from numpyclip.server.http.responses import OverloadedError
from numpyclip.server.inference.batching import Batcher
from tests.server.conftest import Client, Png, Serve


def uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def vectors(body: dict[str, Any]) -> np.ndarray:
    return np.array([row["embedding"] for row in body["data"]], np.float32)


def test_texts(client: Client, tiny: CLIP) -> None:
    answer = client.post("/v1/embeddings", {"model": "tiny", "input": ["a dog", "a cat"], "user": "me"})
    assert answer.status == 200
    np.testing.assert_allclose(vectors(answer.json), tiny.embed_texts(["a dog", "a cat"]), atol=1e-6)
    assert [row["index"] for row in answer.json["data"]] == [0, 1]
    assert {row["object"] for row in answer.json["data"]} == {"embedding"}
    assert answer.json["usage"] == {"prompt_tokens": 8, "total_tokens": 8}  # start, "a", noun, end
    assert (answer.json["object"], answer.json["model"]) == ("list", "tiny")
    assert answer.json["created"] > 1.7e9 and answer.json["id"]


def test_a_single_text_and_infinitys_path(client: Client, tiny: CLIP) -> None:
    answer = client.post("/embeddings", {"input": "a dog", "dimensions": 0})
    np.testing.assert_allclose(vectors(answer.json), tiny.embed_texts("a dog"), atol=1e-6)


def test_dimensions_are_the_first_ones_at_unit_length(client: Client, tiny: CLIP, png: Png) -> None:
    answer = client.post("/v1/embeddings", {"input": ["a dog", "a cat"], "dimensions": 64})
    expected = normalize(tiny.embed_texts(["a dog", "a cat"])[:, :64])
    np.testing.assert_allclose(vectors(answer.json), expected, atol=1e-6)
    answer = client.post("/v1/embeddings", {"modality": "image", "input": [uri(png("bird"))], "dimensions": 1})
    assert np.abs(vectors(answer.json)).tolist() == [[1.0]]


def test_base64_is_little_endian_float32(client: Client, tiny: CLIP) -> None:
    answer = client.post("/v1/embeddings", {"input": "a dog", "encoding_format": "base64"})
    raw = base64.b64decode(answer.json["data"][0]["embedding"])
    np.testing.assert_allclose(np.frombuffer(raw, "<f4"), tiny.embed_texts("a dog")[0], atol=1e-6)


def test_pictures_as_infinity_takes_them(client: Client, tiny: CLIP, png: Png) -> None:
    body = {"modality": "image", "input": [uri(png("bird")), uri(png("house"))]}
    answer = client.post("/v1/embeddings", body)
    expected = tiny.embed_images([png("bird"), png("house")])
    np.testing.assert_allclose(vectors(answer.json), expected, atol=1e-6)
    assert answer.json["usage"]["total_tokens"] == 0


@pytest.mark.parametrize("is_nested", [True, False])
def test_messages_as_vllm_takes_them(client: Client, tiny: CLIP, png: Png, is_nested: bool) -> None:
    address = {"url": uri(png("bird"))} if is_nested else uri(png("bird"))
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": address}]}]
    answer = client.post("/v1/embeddings", {"model": "tiny", "messages": messages})
    np.testing.assert_allclose(vectors(answer.json), tiny.embed_images(png("bird")), atol=1e-6)
    for content in ("a dog", [{"type": "text", "text": "a dog"}]):
        answer = client.post("/v1/embeddings", {"messages": [{"role": "user", "content": content}]})
        np.testing.assert_allclose(vectors(answer.json), tiny.embed_texts("a dog"), atol=1e-6)


def test_the_client_of_openai(client: Client, tiny: CLIP, png: Png) -> None:
    openai = pytest.importorskip("openai")
    with openai.OpenAI(base_url=f"http://127.0.0.1:{client.port}/v1", api_key="none", max_retries=0) as api:
        assert [model.id for model in api.models.list()] == ["tiny"]
        assert api.models.retrieve("tiny").id == "tiny"
        with pytest.raises(openai.NotFoundError, match="gpt-4 is not here") as caught:
            api.models.retrieve("gpt-4")
        assert (caught.value.code, caught.value.type) == ("model_not_found", "invalid_request_error")
        rows = tiny.tokenize(["a dog", "a cat"]).tolist()
        found = np.array([row.embedding for row in api.embeddings.create(model="tiny", input=rows).data])
        np.testing.assert_allclose(found, tiny.embed_texts(["a dog", "a cat"]), atol=1e-6)
        answer = api.embeddings.create(model="tiny", input=["a dog", "a cat"])  # it asks for base64 by itself
        found = np.array([row.embedding for row in answer.data])
        np.testing.assert_allclose(found, tiny.embed_texts(["a dog", "a cat"]), atol=1e-6)
        answer = api.embeddings.create(
            model="tiny", input=[uri(png("bird"))], encoding_format="float", extra_body={"modality": "image"}
        )
        np.testing.assert_allclose([answer.data[0].embedding], tiny.embed_images(png("bird")), atol=1e-6)
        with pytest.raises(openai.NotFoundError, match="gpt-4 is not here; this server has tiny"):
            api.embeddings.create(model="gpt-4", input="a dog")
        with pytest.raises(openai.BadRequestError, match="expected 1 to 2048"):
            api.embeddings.create(model="tiny", input=["a dog"] * 2049)


def test_a_model_by_its_id(serve: Serve) -> None:
    client = serve(aliases=("ViT-B/32", "hf-hub:laion/CLIP"))
    for name in ("tiny", "ViT-B/32", "ViT-B%2F32", "vit_b%2f32", "hf-hub:laion/CLIP", "hf-hub%3Alaion%2FCLIP"):
        answer = client.get(f"/v1/models/{name}")
        assert (answer.status, answer.json["id"], answer.json["object"]) == (200, "tiny", "model"), name
    assert client.get("/v1/models/tiny").json in client.get("/v1/models").json["data"]
    for name in ("other", "", "tiny/x", "ViT-B//32", "%00", "%FF", "..%2F..%2Fetc"):
        answer = client.get(f"/v1/models/{name}")
        assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found"), name


@pytest.mark.parametrize("padded", [True, False])
def test_token_ids_of_the_models_own_tokenizer(client: Client, tiny: CLIP, padded: bool) -> None:
    texts = ["a dog", "Ça, c'est   une «maison»! 🏠", "", "a " * 60]
    rows = [row.tolist() if padded else [int(i) for i in row if i] for row in tiny.tokenize(texts)]
    answer = client.post("/v1/embeddings", {"input": rows})
    np.testing.assert_allclose(vectors(answer.json), tiny.embed_texts(texts), atol=1e-6)
    assert answer.json["usage"]["prompt_tokens"] == sum(sum(map(bool, row)) for row in rows)
    single = client.post("/v1/embeddings", {"input": rows[0]})
    np.testing.assert_allclose(vectors(single.json), tiny.embed_texts("a dog"), atol=1e-6)


@pytest.fixture
def tokenized(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts with "xyzzy" in them that are tokenized; a server embeds words of its own meanwhile."""
    found: list[str] = []
    tokenize = CLIP.tokenize

    def noted(self: CLIP, texts: Any, truncate: bool = False) -> Any:
        found.extend(text for text in texts if "xyzzy" in text)
        return tokenize(self, texts, truncate)

    monkeypatch.setattr(CLIP, "tokenize", noted)
    return found


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"input": ["xyzzy 1", "xyzzy 2"]}),
        ("/v1/embeddings", {"input": ["xyzzy 1" * 1000], "truncate": True}),
        ("/vectorize", {"texts": ["xyzzy 1", "xyzzy 2"]}),
        ("/classify", {"ids": [1], "labels": ["xyzzy 1", "xyzzy 2"], "template": "a photo of {}"}),
    ],
)
def test_texts_are_tokenized_once(client: Client, tokenized: list[str], path: str, body: Any) -> None:
    assert client.post(path, body).status == 200
    assert len(tokenized) == len(set(tokenized)) == len(body.get("input") or body.get("texts") or body["labels"])


def test_texts_are_not_tokenized_while_the_queue_is_full(
    client: Client, tokenized: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Batcher) -> None:
        raise OverloadedError("9 inputs are waiting already; try again soon.")

    monkeypatch.setattr(Batcher, "check_room", full)
    for path, body in (("/v1/embeddings", {"input": "xyzzy"}), ("/vectorize", {"texts": ["xyzzy"]})):
        assert client.post(path, body).status == 429
    assert not tokenized


def test_token_ids_of_texts_that_were_cut_within_a_letter_or_a_word(client: Client, tiny: CLIP) -> None:
    pieces = ("日本語の長い文章", "это длинный текст ", "internationalization ", "είναι ένα κείμενο ", "🏠🏡")
    texts = [("x" * start + " ") + piece * 60 for piece in pieces for start in range(3)]
    ids = tiny.tokenize(texts, truncate=True)
    answer = client.post("/v1/embeddings", {"input": ids.tolist()})
    np.testing.assert_allclose(vectors(answer.json), tiny.embed_texts(texts, truncate=True), atol=1e-6)


def test_token_ids_of_another_tokenizer_are_refused(client: Client, tiny: CLIP) -> None:
    start, *ids, end = (int(i) for i in tiny.tokenize(["a dog"])[0] if i)
    wrong: dict[str, list[list[int]]] = {
        "not framed by": [[64, 5679], ids, [start, *ids], [*ids, end]],  # the first are "a dog" in cl100k_base
        "unknown token IDs": [[start, 100_257, end]],
        "are of no text": [[start, *ids[::-1], 0, 1, 2, end], [start, 0xFF, end]],
        "has 78 token IDs; expected at most 77": [[start, *ids * 38, end]],
    }
    for message, rows in wrong.items():
        for row in rows:
            answer = client.post("/v1/embeddings", {"input": [row]})
            assert (answer.status, message in answer.message) == (400, True), (row, answer.message)


def test_langchain(client: Client, tiny: CLIP) -> None:
    module = pytest.importorskip("langchain_openai")
    options = {"base_url": f"http://127.0.0.1:{client.port}/v1", "api_key": "none", "model": "tiny", "max_retries": 0}
    texts = ["a dog", "a cat"]
    found = module.OpenAIEmbeddings(check_embedding_ctx_length=False, **options).embed_documents(texts)
    np.testing.assert_allclose(found, tiny.embed_texts(texts), atol=1e-6)


def test_texts_that_are_too_long_are_refused_unless_they_may_be_cut(client: Client, tiny: CLIP) -> None:
    long = "dog " * 100
    answer = client.post("/v1/embeddings", {"input": ["a cat", long]})
    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")
    assert "102 tokens" in answer.message
    assert answer.message.endswith('at most 77 tokens; shorten it, or send "truncate": true.')
    answer = client.post("/v1/embeddings", {"input": [long], "truncate": True})
    np.testing.assert_allclose(vectors(answer.json), tiny.embed_texts(long, truncate=True), atol=1e-6)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "0 inputs; expected 1 to 2048"),
        ({"input": []}, "0 inputs"),
        ({"input": ""}, "empty string"),
        ({"input": 7}, "token IDs"),
        ({"input": [[1, 2]]}, "check_embedding_ctx_length=False"),
        ({"input": [[]]}, "not framed by"),
        ({"input": [True]}, "expected a string, a list of strings, or token IDs"),
        ({"input": [1.5]}, "expected a string, a list of strings, or token IDs"),
        ({"input": [[-1, 2]]}, "expected a string, a list of strings, or token IDs"),
        ({"input": [[1], "a"]}, "expected a string, a list of strings, or token IDs"),
        ({"input": [2**40]}, "expected a string, a list of strings, or token IDs"),
        ({"input": [1, 2], "modality": "image"}, "expected a string, a list of strings, or token IDs"),
        ({"input": ["a", None]}, "expected a string, a list of strings, or token IDs"),
        ({"input": "a", "modality": "audio"}, "expected text or image"),
        ({"input": "a", "encoding_format": "hex"}, "expected float or base64"),
        ({"input": "a", "dimensions": 129}, "dimensions is 129; expected 1 to 128"),
        ({"input": "a", "dimensions": -1}, "expected 1 to 128"),
        ({"input": "a", "dimensions": "64"}, "expected 1 to 128"),
        ({"input": "a", "dimensions": True}, "expected 1 to 128"),
        ({"input": "a", "dimensions": False}, "expected 1 to 128"),
        ({"input": "a", "dimensions": ""}, "expected 1 to 128"),
        ({"input": "a", "dimensions": []}, "expected 1 to 128"),
        ({"input": "a", "dimensions": 0.0}, "expected 1 to 128"),
        ({"input": "a", "model": 5}, "model is 5; expected a string"),
        ({"input": "no base64!", "modality": "image"}, "is not base64"),
        ({"input": "aGVsbG8=", "modality": "image"}, "image: cannot be read as an image"),
        ({"input": "http://169.254.169.254/latest/meta-data", "modality": "image"}, "does not fetch from"),
        ({"input": "file:///etc/passwd", "modality": "image"}, "is not base64"),
        ({"messages": "a dog"}, "expected a list of {role, content}"),
        ({"messages": []}, "0 parts; expected one"),
        ({"messages": [{"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]}, "2 parts"),
        ({"messages": [{"content": [{"type": "video"}]}]}, "a part is"),
        ({"messages": [{"content": [7]}]}, "1 parts"),
        ([1], "expected a JSON object"),
    ],
)
def test_what_cannot_be_meant_is_refused(client: Client, body: object, message: str) -> None:
    answer = client.post("/v1/embeddings", body)
    assert answer.status == 400
    assert message in answer.message


def test_what_is_no_json_is_refused(client: Client) -> None:
    answer = client("POST", "/v1/embeddings", b"{")
    assert (answer.status, "not JSON" in answer.message) == (400, True)
