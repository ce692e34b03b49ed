import base64

import pytest

from numpyclip.errors import PictureError
from numpyclip.server import base64_images
from numpyclip.server.base64_images import decode_base64


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
    "text",
    [
        "hello!",
        "data:image/png,hello",
        "data:image/png;base64,***",
        "é",
        "aGVsbG8",
        "YQ==YQ==",
        "YQ==" * 2,
        "A" * 5,
        "=" * 4,
    ],
)
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(PictureError, match="is not base64"):
        decode_base64(text, "picture")
