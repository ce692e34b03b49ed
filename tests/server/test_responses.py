"""Errors as clients receive them."""

from tests.server.conftest import Client


def test_an_error_may_quote_what_utf_8_cannot_encode(client: Client) -> None:
    answer = client.post("/v1/embeddings", {"modality": "image", "input": "http://\ud800/"})
    assert (answer.status, r"http://\ud800/" in answer.message) == (400, True)
