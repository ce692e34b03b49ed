"""Requests of any kind: each is answered with JSON, and none is a fault of the server."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index.index import Index

pytest.importorskip("starlette")
pytest.importorskip("prometheus_client")
pytest.importorskip("python_multipart")

from numpyclip.server import Settings, Tokens, create_app

POSTS = ("/search", "/classify", "/v1/embeddings", "/predict", "/knn-service", "/metadata", "/login")
GETS = ("/search", "/index", "/thumbnails/1", "/thumbnails/", "/v1/models", "/indices-list", "/ping/", "/\ud800")
NAMES = (
    *("query", "q", "near", "image", "not", "n", "folder", "after", "before", "in", "all", "labels", "template"),
    *("input", "model", "modality", "messages", "encoding_format", "dimensions", "truncate", "entries", "text", "side"),
    *("image_url", "embedding_input", "num_images", "num_result_ids", "deduplicate", "ids", "token"),
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=[]), max_size=40),  # lone surrogates, too
    st.sampled_from(["9" * 400 + "*cat", "1e999", "-1*a + a", "a + " * 40, "{}" * 999, "http://[", "data:;base64,AA="]),
    st.builds(
        lambda text, count: text * count, st.sampled_from(["a", "é ", "\0", "中", "+ "]), st.integers(0, 120_000)
    ),
)
NUMBERS = st.one_of(st.integers(), st.integers(0, 9), st.floats(), st.sampled_from([10**400, 2**63, -0.0]))
VALUES = st.recursive(
    st.one_of(TEXTS, NUMBERS, st.booleans(), st.none(), st.just([0.1] * 128)),
    lambda values: st.one_of(st.lists(values, max_size=4), st.dictionaries(st.sampled_from(NAMES), values, max_size=3)),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)
JSON = OBJECTS.map(lambda value: json.dumps(value).encode())
KINDS = st.sampled_from(
    [
        "",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
    ]
)

Ask = Callable[..., tuple[int, bytes]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory, tiny: CLIP) -> Iterator[Ask]:
    """Call the application, without a socket."""
    store = str(tmp_path_factory.mktemp("fuzz") / "store")
    with Index(store, tiny, create=True) as index:
        index.add_texts(["a bird", "a house", "\x1b[31m"])
    app = create_app(tiny, "tiny", store, Settings(tokens=Tokens("t")))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)  # this one may have a loop of another test
    thread.start()
    context = app.router.lifespan_context(app)

    def result(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    result(context.__aenter__())

    async def call(method: str, path: str, query: bytes, body: bytes, kind: str) -> tuple[int, bytes]:
        sent: list[Message] = []
        left = [{"type": "http.request", "body": body}]

        async def receive() -> Message:
            return left.pop() if left else await loop.create_future()

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"host", b"a"), (b"authorization", b"Bearer t"), (b"content-type", kind.encode())]
        headers += [(b"content-length", str(len(body)).encode())] if body else []
        scope = {"type": "http", "method": method, "path": path, "query_string": query, "headers": headers}
        await app({**scope, "scheme": "http", "root_path": "", "client": None, "app": app}, receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)

    def ask(method: str, path: str, query: str = "", body: bytes = b"", kind: str = "") -> tuple[int, bytes]:
        answer: tuple[int, bytes] = result(call(method, path, query.encode("latin-1"), body, kind))
        return answer

    yield ask
    result(context.__aexit__(None, None, None))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def check(status: int, answer: bytes) -> Any:
    assert status < 500, answer
    if status == 204:
        return None

    def refuse(name: str) -> None:
        raise AssertionError(name)

    return json.loads(answer.decode("utf-8"), parse_constant=refuse)


@given(path=st.sampled_from(POSTS), body=JSON)
def test_json_of_any_kind(ask: Ask, path: str, body: bytes) -> None:
    check(*ask("POST", path, body=body, kind="application/json"))


@given(path=st.sampled_from(POSTS), body=JSON, cut=st.integers(0, 200), junk=st.binary(max_size=8), kind=KINDS)
def test_bodies_that_are_broken(ask: Ask, path: str, body: bytes, cut: int, junk: bytes, kind: str) -> None:
    check(*ask("POST", path, body=body[:cut] + junk + body[cut + len(junk) :], kind=kind))


@given(
    path=st.sampled_from(POSTS),
    fields=st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=60), st.booleans()), max_size=6),
    end=st.sampled_from([b"--x--\r\n", b"--x", b"", b"\r\n--x\r\n\r\n"]),
)
def test_forms_of_any_kind(ask: Ask, path: str, fields: list[tuple[str, bytes, bool]], end: bytes) -> None:
    body = b""
    for name, value, is_file in fields:
        file = b'; filename="a"' if is_file else b""
        body += b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (name.encode(), file, value)
    check(*ask("POST", path, body=body + end, kind="multipart/form-data; boundary=x"))


@given(
    path=st.sampled_from(GETS),
    fields=st.lists(st.tuples(st.sampled_from(NAMES), TEXTS.filter(lambda text: len(text) < 9000)), max_size=6),
    junk=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
)
def test_query_strings_of_any_kind(ask: Ask, path: str, fields: list[tuple[str, str]], junk: str) -> None:
    query = "&".join(f"{name}={quote(text, errors='surrogatepass')}" for name, text in fields)
    check(*ask("GET", path, f"{query}&{junk}"))
