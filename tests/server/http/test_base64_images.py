import base64
import tracemalloc

import pytest

from numpyclip.errors import InputError, PictureError
from numpyclip.server.http import base64_images
from numpyclip.server.http.base64_images import decode_base64


def test_base64_may_be_plain_or_a_data_uri() -> None:
    text = base64.b64encode(b"hello").decode()
    for given in (text, f"data:image/png;base64,{text}", f"DATA:image/svg+xml;charset=utf-8;BASE64,{text}"):
        assert decode_base64(given, "picture") == b"hello"


def test_long_base64_is_decoded_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base64_images, "_PIECE", 8)
    for size in range(40):
        data = bytes(range(size))
        assert decode_base64(base64.b64encode(data).decode(), "picture") == data


@pytest.mark.parametrize(
    "uri",
    [
        "data:;base64,",
        'data:image/png;charset="utf-8";base64,',
        "data:image/png; charset=utf-8; base64,",
        "data:image/jpeg;name=a%20b.jpg;charset=utf-8;base64,",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_data_uris_as_libraries_write_them(uri: str, size: int) -> None:
    data = bytes(range(256 - size, 256))  # with + and /, which are - and _ in URLs
    lines, url_safe = base64.encodebytes(data * 3).decode(), base64.urlsafe_b64encode(data).decode()
    assert decode_base64(uri + lines, "picture") == data * 3
    assert decode_base64(uri + lines.replace("\n", "\r\n"), "picture") == data * 3
    for text in (url_safe, url_safe.rstrip("="), url_safe + "\r\n"):
        assert decode_base64(uri + text, "picture") == data


def test_pieces_need_not_end_with_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(range(100))
    text = "\n".join(base64.urlsafe_b64encode(data).decode().rstrip("="))
    for piece in range(1, 12):
        monkeypatch.setattr(base64_images, "_PIECE", piece)
        assert decode_base64(text, "picture") == data


@pytest.mark.parametrize("text", ["=" * 8_000_000, "\n" * 8_000_000 + "!", "data:" + ";a=b" * 2_000_000])
def test_hostile_strings_take_little_memory(text: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="is not base64"):
            decode_base64(text, "picture")
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "text",
    [
        "hello!",
        "data:image/png,hello",
        "data:image/png;base64,***",
        "é",
        "YQ==YQ==",
        "YQ==" * 2,
        "A" * 5,
        "=" * 4,
        "YWI===",
        "aGVsbG8=" + "=" * 1000,
        "data:image/png" + ";a=b" * 10 + ";base64,YQ==",
        "data:a/" + "b" * 1000 + ";base64,YQ==",  # to read how it begins takes time by the square of that
    ],
)
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(
        PictureError if text.startswith("data:image/png;base64,") else InputError, match="is not base64"
    ):
        decode_base64(text, "picture")
