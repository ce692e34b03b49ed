"""Names are printed harmlessly, unambiguously and as valid UTF-8, whatever is in them."""

import base64
import json

import pytest

from numpyclip.escaping import column, column_text, json_text

NAMES = {
    "plain.jpg": "plain.jpg",
    r"C:\folder\new.jpg": r"C:\folder\new.jpg",
    "日本 é\u3000\u200d.jpg": "日本 é\u3000\u200d.jpg",  # joiners and wide spaces belong to languages
    'say "hi".jpg': 'say "hi".jpg',
    '"quoted".jpg': r'"\"quoted\".jpg"',
    "a\tb": r'"a\tb"',
    "a\nb\r": r'"a\nb\r"',
    "a\\nb\n": r'"a\\nb\n"',
    "\x1b]0;title\x07": r'"\x1b]0;title\x07"',
    "\x9b31m": r'"\u009b31m"',
    "\u202egpj.exe": r'"\u202egpj.exe"',
    "zero\u200bwidth\ufeff": r'"zero\u200bwidth\ufeff"',
    "\U000e0041": r'"\U000e0041"',
    "nul\0.jpg": r'"nul\x00.jpg"',
    "caf\udce9.jpg": r'"caf\xe9.jpg"',
    "lone\ud800": r'"lone\ud800"',
    "": "",
}


@pytest.mark.parametrize(("text", "written"), NAMES.items())
def test_a_column_is_safe_and_leads_back_to_the_text(text: str, written: str) -> None:
    assert column(text) == written
    assert column_text(written) == text
    written.encode("utf-8")


def test_no_two_texts_have_one_column() -> None:
    texts = {
        "".join(pair) for first in ["\\", '"', "\n", "n", "\x1b", "\udce9", "x1b", "é"] for pair in [first, '"' + first]
    }
    assert len({column(text) for text in texts}) == len(texts)


def test_bytes_that_are_utf_8_after_all_are_decoded() -> None:
    text = "é.jpg".encode().decode("ascii", "surrogateescape")
    assert column(text) == "é.jpg"
    assert json.loads(json_text({"path": text})) == {"path": "é.jpg"}


@pytest.mark.parametrize("text", NAMES)
def test_json_is_valid_for_strict_parsers_and_leads_back_to_the_bytes(text: str) -> None:
    written = json_text({"path": text, "copies": [text, "b"], "of": {text: 1}})
    found = json.loads(written)
    assert "\\ud8" not in written.replace("\\\\", "")
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    if found["path"] != text:
        whole = text.encode("utf-8", "surrogatepass" if "\ud800" in text else "surrogateescape")
        assert base64.b64decode(found["path_bytes"]) == whole
        assert base64.b64decode(found["copies_bytes"][0]) == whole
        assert base64.b64decode(found["copies_bytes"][1]) == b"b"
    else:
        assert found == {"path": text, "copies": [text, "b"], "of": {text: 1}}


def test_json_has_null_for_what_is_not_finite() -> None:
    value = {"a": float("nan"), "b": [float("inf"), 1.5, (float("-inf"),)], "c": True}
    assert json_text(value) == '{"a": null, "b": [null, 1.5, [null]], "c": true}'
