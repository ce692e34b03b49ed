"""Validation of a sentencepiece model, a message of protobuf, before the package reads it.

Older versions of the package follow its offsets unchecked, and build their trie by recursion over the bytes of a piece.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from numpyclip.errors import CheckpointError, CorruptCheckpointError, UnsupportedCheckpointError
from numpyclip.tokenizer import charsmap

# Fields of sentencepiece_model.proto.
_PIECE, _TRAINER, _NORMALIZER, _SELF_TEST, _DENORMALIZER = 1, 2, 3, 4, 5
_CHARSMAP = 2  # of a normalizer
_TEXT, _SCORE, _KIND = 1, 2, 3  # of a piece
_ADDED = (b"\x03", b"\x04")  # kinds: control symbols, and symbols of its user's
_UNK_SURFACE = 44  # of the trainer: the text of an unknown id

_MAX_PIECE = 512  # bytes with its score; published ones have up to 120
_MAX_PIECES = 2**20  # published models have up to 256,000
_MAX_LETTERS = 2**23  # bytes of all pieces
_MAX_OPTION = 2**16
_MAX_FIELDS = _MAX_PIECES + 2**16  # of all messages


def check_sentencepiece(path: Path, data: bytes) -> None:
    """Raise unless a model is as published ones are.

    Raises
    ------
    CorruptCheckpointError
        If it is no message of protobuf.
    UnsupportedCheckpointError
        If a part of it is larger than in any published model, or its table of replacements is wrong; it is named.
    """
    pieces = letters = 0
    seen = count()
    try:
        for field, value in _fields(data, seen):
            if field == _PIECE:
                pieces, letters = pieces + 1, letters + len(value)
                if len(value) > _MAX_PIECE or pieces > _MAX_PIECES or letters > _MAX_LETTERS:
                    raise _unsupported(path, f"piece {pieces - 1}", f"at most {_MAX_PIECES}, of {_MAX_PIECE} bytes")
            elif field in (_NORMALIZER, _DENORMALIZER):
                _check_normalizer(path, value, seen)
            elif field == _SELF_TEST and len(value) > _MAX_OPTION:
                raise _unsupported(path, "its self-test", f"at most {_MAX_OPTION} bytes")
            elif field == _TRAINER and any(n == _UNK_SURFACE and len(v) > _MAX_PIECE for n, v in _fields(value, seen)):
                raise _unsupported(path, "its unk_surface", f"at most {_MAX_PIECE} bytes")
    except (IndexError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CorruptCheckpointError(f"{path}: not a sentencepiece model, or damaged ({error!s:.100}).") from error


@dataclass(frozen=True)
class Pieces:
    """The vocabulary of a sentencepiece model."""

    scores: list[tuple[str, float]]  # of each piece, by id
    added: list[str]  # pieces that are found in a text before it is split: control symbols, and those of its user
    charsmap: bytes  # table of replacements


def read_pieces(data: bytes) -> Pieces:
    """Read the vocabulary of a model after `check_sentencepiece`; ValueError if a piece is no text with a score."""
    scores, added, table = [], [], b""
    for field, value in _fields(data, count()):
        if field == _PIECE:
            piece = dict(_fields(value, count()))
            text = piece.get(_TEXT, b"").decode("utf-8")
            (score,) = struct.unpack("<f", piece.get(_SCORE, bytes(4)))
            scores.append((text, score))
            if piece.get(_KIND) in _ADDED:
                added.append(text)
        elif field == _NORMALIZER:
            table = dict(_fields(value, count())).get(_CHARSMAP, b"")
    return Pieces(scores, added, table)


def _check_normalizer(path: Path, message: bytes, seen: Iterator[int]) -> None:
    for field, table in _fields(message, seen):
        if field == _CHARSMAP and table and (wrong := charsmap.fault(table)):
            raise UnsupportedCheckpointError(f"{path}: its normalizer has {wrong}.")


def _unsupported(path: Path, part: str, expected: str) -> UnsupportedCheckpointError:
    return UnsupportedCheckpointError(f"{path}: {part} is longer than in any published model; expected {expected}.")


def _fields(message: bytes, seen: Iterator[int]) -> Iterator[tuple[int, bytes]]:
    """Yield the number of each field, and its content as it is encoded. All that were `seen` are counted."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        start = position
        if (kind := key & 7) == 0:
            _, position = _varint(message, position)
        elif kind == 2:
            length, start = _varint(message, position)
            position = start + length
        elif kind in (1, 5):
            position = start + (8 if kind == 1 else 4)
        else:
            raise ValueError(f"a field of type {kind}")
        if position > len(message):
            raise ValueError("cut short")
        if next(seen) >= _MAX_FIELDS:
            raise ValueError(f"more than {_MAX_FIELDS} fields")
        yield key >> 3, message[start:position]


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the last without bit 7, and the position after it."""
    number = 0
    for shift in range(0, 70, 7):
        byte = message[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
    raise ValueError("a number of more than ten bytes")
