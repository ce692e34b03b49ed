"""Bodies within bounds: what is too much is refused before it is parsed."""

import asyncio
import base64
import gc
import json
import weakref
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from numpyclip.errors import InputError
from numpyclip.server.http.body_parsing import MAX_TEXT, FormParser, parse_json_body, parse_query
from numpyclip.server.http.request_parsing import sent_fields

PICTURE = base64.b64encode(bytes(range(256)) * 1000).decode()
MARK = b'--x\r\nContent-Disposition: form-data; name="a"'


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": [1, -2.5, None, True, 'é😀\n"\\']},
        {"input": PICTURE, "n": 1},
        {"input": [PICTURE, "short", f"data:image/png;base64,{PICTURE}"], "modality": "image"},
        [[PICTURE]],
        {"\0000": PICTURE + "b", "a": PICTURE},
        {"a": PICTURE, "b": ["\x000"] * 3},
        PICTURE,
        {"a": "é" * 70_000, "b": PICTURE},
        {"a": 'a"' * 50_000, "b": "\\" * 70_000, "c": "," + "x" * 70_000},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_json_is_what_it_says(value: Any, indent: int | None) -> None:
    assert parse_json_body(json.dumps(value, indent=indent).encode()) == value
    assert parse_json_body(json.dumps(value, ensure_ascii=False, indent=indent).encode()) == value


def test_what_libraries_escape_in_base64() -> None:
    text = json.dumps({"a": PICTURE + "=="}).replace("/", "\\/").replace("=", "\\u003d")
    assert parse_json_body(text.encode()) == {"a": PICTURE + "=="}
    lines = "\r\n".join(PICTURE[start : start + 76] for start in range(0, len(PICTURE), 76)) * (
        MAX_TEXT // len(PICTURE) + 1
    )
    assert parse_json_body(json.dumps([lines]).encode()) == [lines]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"a": NaN}',
        b'{"a": -1e999}',
        b'{"a": -Infinity}',
        b"[" * 40_000,
        b"9" * 5000,
        b'{"a" ' + b"A" * 70_000 + b' "b"}',
        b'"' + b"A" * 70_000,
        b'"a"' + b"A" * 70_000 + b'"b"',
        json.dumps({"a": 1}).encode("utf-16"),
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InputError, match="the body is not JSON"):
        parse_json_body(body)


def filled(start: bytes, piece: bytes, end: bytes, size: int = MAX_TEXT + 100) -> bytes:
    return start + piece * (size // len(piece)) + end


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (filled(b'{"query": "a', b" + a", b'"}'), None),  # one long string: how long it may be is up to its field
        (filled(b"[", b"[],", b"[]]"), "bytes beside images"),
        (filled(b"[", b"[],", b"[]]", 200_000), "values; expected at most 50000"),
        (filled(b"[", b'{"a":0},', b"0]", 500_000), "values; expected at most 50000"),
        (filled(b'["', b"\\u00e9", b'"]'), "bytes beside images"),
        (filled(b'["', "é".encode(), b'"]'), "bytes beside images"),
        (filled(b"[", b'"",', b'""]'), "bytes beside images"),
        (filled(b"{", b" ", b"}"), "bytes beside images"),
        (filled(b"0.", b"9", b""), "bytes beside images"),
    ],
)
def test_too_much_json_is_refused_unparsed(monkeypatch: pytest.MonkeyPatch, body: bytes, message: str | None) -> None:
    parsed: list[int] = []
    monkeypatch.setattr(json, "loads", lambda text, **_: parsed.append(len(text)))
    if message is None:
        parse_json_body(body)
        assert 0 < parsed[0] < 100
    else:
        with pytest.raises(InputError, match=message):
            parse_json_body(body)
        assert parsed == []


def test_query_strings() -> None:
    assert parse_query("a=1&b=%C3%A9+x&a=2&c=&%ff=%ff") == {"a": ["1", "2"], "b": "é x", "c": "", "�": "�"}
    for text, message in (("a&" * 1001, "too many fields"), ("a" * (MAX_TEXT + 1), "expected at most 1048576")):
        with pytest.raises(InputError, match=message):
            parse_query(text)


def form(*pieces: bytes, kind: str = "multipart/form-data; boundary=x") -> dict[str, Any]:
    parser = FormParser(kind)
    for piece in pieces:
        parser.write(piece)
    return parser.finish()


def test_forms_in_pieces_of_any_size() -> None:
    file = bytes(range(256)) + b"\r\n--" * 10
    body = MARK + b"\r\n\r\ntext \xc3\xa9\xff\r\n" + MARK + b'; filename="n"\r\n\r\n' + file + b"\r\n--x--\r\n"
    for size in (1, 7, 1000):
        assert form(*(body[n : n + size] for n in range(0, len(body), size))) == {"a": ["text é�", file]}


def test_what_follows_a_form_is_none_of_it() -> None:
    for end in (b"\r\n--x--", b"\r\n--x--\r\n", b"\r\n--x--\r\nmore"):
        assert form(MARK + b"\r\n\r\ntext" + end) == {"a": "text"}
    assert form(b"--x--\r\n") == {}


def many(piece: bytes) -> Iterator[bytes]:
    yield from [piece * (1 + (1 << 14) // len(piece))] * 100


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ([b"no form"], "malformed"),
        ([b"--x\r\n\r\n\r\n--x--"], "no name in its Content-Disposition"),
        ([], "cut short"),
        ([MARK], "cut short"),
        ([MARK + b'; filename="n"\r\n\r\nhalf of it'], "cut short"),
        ([MARK + b"\r\n\r\na\r\n--x\r\n"], "cut short"),
        (many(MARK + b"\r\n\r\n\r\n"), "too many fields"),
        ([MARK + b"\r\n\r\n", *many(b"\r\n--")], "bytes that are not in files"),
        ([b"--x\r\n", *many(b"a: b\r\n")], "header|bytes that are not in files"),
        ([b"--x\r\na: ", *many(b"b")], "header|bytes that are not in files"),
    ],
)
def test_forms_that_are_refused(pieces: list[bytes], message: str) -> None:
    with pytest.raises(InputError, match=message):
        form(*pieces)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=" + "x" * 300, ""])
def test_boundaries_that_are_refused(kind: str) -> None:
    with pytest.raises(InputError, match="boundary"):
        form(kind=kind)


def test_a_form_is_in_memory_no_longer_than_its_request() -> None:
    parsers = []

    async def parse(function: Any, piece: bytes) -> None:
        parsers.append(weakref.ref(function.__self__))
        function(piece)

    async def stream() -> AsyncIterator[bytes]:
        yield MARK + b'; filename="a"\r\n\r\nimage'
        yield b"\r\n--x--\r\n"

    app = SimpleNamespace(state=SimpleNamespace(service=SimpleNamespace(threads=SimpleNamespace(parse=parse))))
    request: Any = SimpleNamespace(
        method="POST", app=app, stream=stream, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    gc.disable()
    try:
        assert asyncio.run(sent_fields(request, ("form",))) == {"a": b"image"}
        assert [parser() for parser in parsers] == [None, None]
    finally:
        gc.enable()
