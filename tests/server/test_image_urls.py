"""Against a real file server, which redirects and sends too much."""

import base64
import http.server
from collections.abc import Iterator

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.server.image_urls import fetch, is_url
from tests.http_server import running
from tests.server.conftest import Png, Serve


@pytest.fixture(scope="module")
def site(png: Png) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/bird.png")
                self.end_headers()
                return
            data = png("bird") if self.path == "/bird.png?size=1" else b"x" * 100_000
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None: ...

    with running(Handler) as url:
        yield url.removeprefix("http://")


def test_a_host_that_is_allowed_is_asked(serve: Serve, site: str, tiny: CLIP, png: Png) -> None:
    client = serve(fetch_hosts=(site,))
    body = {"modality": "image", "input": f"http://{site}/bird.png?size=1", "encoding_format": "base64"}
    answer = client.post("/v1/embeddings", body)
    found = np.frombuffer(base64.b64decode(answer.json["data"][0]["embedding"]), "<f4")
    np.testing.assert_allclose(found, tiny.embed_images(png("bird"))[0], atol=1e-6)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/bird.png",  # another port
        "http://user@{site}/bird.png",
        "http://example.com@127.0.0.1/",
        "http://localhost:1/",
        "http://[::1]/",
        "http://{site}.evil.example/",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:99999/",
        "http:///bird.png",
    ],
)
def test_no_other_host_is(site: str, address: str) -> None:
    with pytest.raises(HTTPException) as caught:
        fetch(address.replace("{site}", site), (site,), 1000, 5)
    assert caught.value.status_code == 400


def test_redirections_and_too_much_are_refused(site: str) -> None:
    with pytest.raises(HTTPException, match="answered 302"):
        fetch(f"http://{site}/moved", (site,), 1000, 5)
    with pytest.raises(HTTPException, match="is larger than 1000 bytes"):
        fetch(f"http://{site}/large", (site,), 1000, 5)


def test_a_host_that_does_not_answer_is_no_fault_of_ours() -> None:
    with pytest.raises(HTTPException, match="cannot be fetched") as caught:
        fetch("http://127.0.0.1:9/", ("127.0.0.1:9",), 1000, 5)
    assert caught.value.status_code == 502


def test_addresses_are_told_from_base64() -> None:
    assert is_url("HTTPS://a/b.png") and is_url("http://a")
    assert not is_url("data:image/png;base64,aGVsbG8=") and not is_url("file:///etc/passwd")
