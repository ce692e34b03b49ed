"""Any text at all is one harmless column, and valid JSON, and both lead back to it."""

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from numpyclip.errors import NumPyCLIPError
from numpyclip.escaping import column, column_text, json_text, printable

ANY = st.characters(exclude_categories=())
HARD = st.sampled_from('\\"\n\r\t\x00\x1b\x7f\x9b\u202e\u2028\ufeff\ud800\udc41\udce9\udcc3\udca9xuUn')
TEXTS = st.text(ANY | HARD)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=9,
)


def known(text: str) -> str:
    """The text, or what its bytes are if these are UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text


@given(TEXTS)
def test_columns_are_harmless_and_lead_back(text: str) -> None:
    written = column(text)
    assert column_text(written) == known(text)
    assert not set(written) & set("\n\r\t\x00\x1b\x7f\x9b\u202e\u2028")
    written.encode("utf-8")


@given(TEXTS, TEXTS)
def test_different_texts_have_different_columns(one: str, other: str) -> None:
    assert (column(one) == column(other)) == (known(one) == known(other))


@given(JSON)
def test_json_is_valid(value: object) -> None:
    written = json_text(value)
    assert written.isascii()
    found = json.loads(written, parse_constant=lambda name: 1 / 0)
    json.dumps(found, ensure_ascii=False).encode("utf-8")


@given(TEXTS)
def test_json_leads_back_to_the_bytes(text: str) -> None:
    found = json.loads(json_text({"path": text}))
    if "path_bytes" in found:
        whole = base64.b64decode(found["path_bytes"])
        assert whole in (text.encode("utf-8", "surrogatepass"), known(text).encode("utf-8", "surrogatepass")) or (
            whole == text.encode("utf-8", "surrogateescape")
        )
    else:
        assert found["path"] == known(text)


@given(TEXTS)
def test_messages_are_one_line(text: str) -> None:
    said = str(NumPyCLIPError(text))
    assert len(said.splitlines()) <= 1
    assert said == printable(said)
    said.encode("utf-8")
