"""Sentencepiece models that are not as published ones."""

import re
from pathlib import Path

import pytest

from numpyclip.errors import CheckpointError, CorruptCheckpointError, UnsupportedCheckpointError
from numpyclip.tokenizer.sentencepiece_file import check_sentencepiece
from tests.tokenizer.test_hugging_face import FOLDER

PATH = Path("there") / "spiece.model"
MODEL = (FOLDER / "siglip" / "spiece.model").read_bytes()
LIE = b"\xff\xff\xff\xff" + bytes(8)  # a charsmap of four gigabytes


def varint(number: int) -> bytes:
    return varint_head(number) + bytes([number >> 7 * ((max(number.bit_length(), 1) - 1) // 7)])


def varint_head(number: int) -> bytes:
    count = (max(number.bit_length(), 1) - 1) // 7
    return bytes((number >> 7 * i & 0x7F) | 0x80 for i in range(count))


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def test_a_true_model_is_read() -> None:
    check_sentencepiece(PATH, MODEL)
    check_sentencepiece(PATH, MODEL + field(3, field(2, b"")) + field(99, b"?") + varint(99 << 3) + varint(2**64 - 5))
    longest = b"z" * 512
    check_sentencepiece(PATH, MODEL + field(1, longest) + field(2, field(44, longest)) + field(4, longest * 128))


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (field(3, field(2, LIE)), "its normalizer has a table of 12 bytes with a trie of 4294967295"),
        (field(5, field(2, LIE)), "its normalizer has a table of 12 bytes with a trie of 4294967295"),
        (field(1, field(1, b"z" * 1_000_000)), "piece 800 is longer than in any published model"),
        (field(1, b"z" * 512) * 2**14, "piece 17164 is longer than in any published model"),
        (field(1, b"") * 2**20, "piece 1048576 is longer than in any published model"),
        (field(2, field(44, b"z" * 1_000_000)), "its unk_surface is longer than"),
        (field(2, field(3, b"x") + field(44, b"z" * 513) + field(44, b"")), "its unk_surface is longer than"),
        (field(4, b"z" * (2**16 + 1)), "its self-test is longer than"),
        (field(1, b"z" * 513), "piece 800 is longer than in any published model"),
    ],
)
def test_what_is_larger_than_published_or_lies_is_named(added: bytes, message: str) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=rf"^there.spiece\.model: {re.escape(message)}") as caught:
        check_sentencepiece(PATH, MODEL + added)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (b"\x0b", "a field of type 3"),
        (b"\x0a", "index out of range"),
        (b"\x0a\x7f", "cut short"),
        (b"\x0a" + b"\xff" * 9 + b"\x01", "cut short"),
        (b"\xff" * 11, "a number of more than ten bytes"),
        (b"\x0d\0\0", "cut short"),
        (field(3, b"\x12\x7f"), "cut short"),
        (field(2, b"\x0f"), "a field of type 7"),
    ],
)
def test_what_is_no_message_of_protobuf_is_corrupt(added: bytes, message: str) -> None:
    with pytest.raises(CorruptCheckpointError, match=rf"^there.spiece\.model: not a sentencepiece .*{message}"):
        check_sentencepiece(PATH, MODEL + added)


def test_the_fields_of_all_messages_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.tokenizer.sentencepiece_file._MAX_FIELDS", 100_000)
    for most in (field(99, b"") * 100_000, field(3, field(98, b"") * 500) * 200, field(2, field(98, b"") * 500) * 200):
        with pytest.raises(CorruptCheckpointError, match="more than 100000 fields"):
            check_sentencepiece(PATH, MODEL + most)


def test_a_model_is_refused_wherever_it_is_cut_within_a_field() -> None:
    refused = 0
    for end in range(0, len(MODEL), 97):
        try:
            check_sentencepiece(PATH, MODEL[:end])
        except CheckpointError:
            refused += 1
    assert refused > len(MODEL) / 97 * 0.8
