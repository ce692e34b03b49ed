"""Validation of the vocabulary in a `tokenizer.json`: every number in range, every string of a size as published ones.

The package `tokenizers` frees its trie by recursion over the characters of a token, needs 330 bytes of memory for each
node, and stops the process where a merge takes more characters away than a symbol has.
"""

from collections.abc import Callable, Iterable, Mapping
from os.path import commonprefix
from typing import Any, TypeGuard

MAX_TOKENS = 2**20  # published vocabularies have up to 256,000
_MAX_ID = 2**24
_MAX_TOKEN = 512  # characters; published ones have up to 100
_MAX_PIECE = 128  # characters of Unigram's, which are all looked for at each character of a text
_MAX_LETTERS = 2**22  # in all tokens together; published ones have up to 2 million
_MAX_NODES = 2**21  # of the trie of Unigram's; 700 MB of memory
_MAX_ADDED, _MAX_ADDED_LETTERS = 2**14, 2**18  # looked for anywhere in a text; published ones have up to 6,400
ADDED_FLAGS = ("single_word", "lstrip", "rstrip", "normalized")  # of an added token
_MAX_MERGES = 2**20
_MAX_WORD = 200  # characters of a word that WordPiece splits, in a time that grows with their cube; 100 by default
_MAX_AFFIX = 16
_MAX_SCORE = 1e6

_TOKENS = f"expected at most {MAX_TOKENS} strings of at most {_MAX_TOKEN} characters, and {_MAX_LETTERS} in all"


def model_fault(model: object) -> str | None:
    """Say what is wrong with a model, None if nothing is."""
    kind = model.get("type", "BPE") if isinstance(model, dict) else model  # the oldest files leave it out
    if not isinstance(model, dict) or not isinstance(kind, str) or kind not in _CHECKS:
        return f"is {kind!r:.60}; expected {' or '.join(_CHECKS)}"
    if not all(isinstance(model.get(name), bool | None) for name in ("fuse_unk", "byte_fallback", "ignore_merges")):
        return "has an option that is neither true nor false"
    return _CHECKS[kind](model)


def added_fault(tokens: object) -> str | None:
    """Say what is wrong with a list of added tokens."""
    if tokens is None:
        return None
    if not isinstance(tokens, list) or not all(isinstance(token, dict) for token in tokens):
        return "is no list of JSON objects"
    contents = [token.get("content") for token in tokens]
    if len(tokens) > _MAX_ADDED or "" in contents or not _are_tokens(contents, most_letters=_MAX_ADDED_LETTERS):
        return (
            f"has {len(tokens)} tokens, or long or empty ones; expected at most {_MAX_ADDED} of at most {_MAX_TOKEN} "
            f"characters, and {_MAX_ADDED_LETTERS} in all"
        )
    return _id_fault(token.get("id") for token in tokens)


def _bpe(model: Mapping[str, Any]) -> str | None:
    merges = model.get("merges")
    if not isinstance(merges, list) or len(merges) > _MAX_MERGES:
        return f"has no list of at most {_MAX_MERGES} merges"
    pairs = (pair if isinstance(pair, list) else [pair] for pair in merges)
    if not all(len(pair) <= 2 and all(isinstance(s, str) and len(s) <= 2 * _MAX_TOKEN for s in pair) for pair in pairs):
        return f"has merges that are no pairs of strings of at most {_MAX_TOKEN} characters"
    if model.get("dropout") not in (None, 0):
        return f"has the dropout {model['dropout']!r:.60}, with which ids are random; expected null"
    if model.get("continuing_subword_prefix") not in (None, ""):
        return f"has the continuing_subword_prefix {model['continuing_subword_prefix']!r:.60}; expected null"
    return _affix_fault(model, "end_of_word_suffix") or _vocabulary_fault(model)


def _word_piece(model: Mapping[str, Any]) -> str | None:
    length = model.get("max_input_chars_per_word", 100)
    if not _is_integer(length) or not 0 <= length <= _MAX_WORD:
        return f"has {length!r:.60} as max_input_chars_per_word; expected at most {_MAX_WORD}"
    return _affix_fault(model, "continuing_subword_prefix") or _vocabulary_fault(model)


def _unigram(model: Mapping[str, Any]) -> str | None:
    pieces = model.get("vocab")
    if not isinstance(pieces, list) or not all(isinstance(piece, list) and len(piece) == 2 for piece in pieces):
        return "has no vocabulary that is a list of pieces with their scores"
    if not _are_tokens((piece for piece, _ in pieces), _MAX_PIECE):
        return f"has {len(pieces)} pieces; expected at most {MAX_TOKENS} strings of at most {_MAX_PIECE} characters"
    if (nodes := _trie_nodes(piece for piece, _ in pieces)) > _MAX_NODES:
        return f"has a vocabulary whose trie has {nodes} nodes; expected at most {_MAX_NODES}"
    for piece, score in pieces:
        if not isinstance(score, int | float) or not -_MAX_SCORE <= score <= _MAX_SCORE:
            return f"has the score {score!r:.60} for {piece!r:.60}; expected a finite number"
    unknown = model.get("unk_id")
    if unknown is not None and not (_is_integer(unknown) and 0 <= unknown < len(pieces)):
        return f"has the unk_id {unknown!r:.60}; expected one of its {len(pieces)} pieces"
    return None


def _trie_nodes(pieces: Iterable[str]) -> int:
    """Count the different beginnings of some strings, in bytes; or more, if that is few enough."""
    encoded = sorted(piece.encode("utf-8", "surrogatepass") for piece in pieces)
    if (most := sum(map(len, encoded))) <= _MAX_NODES:
        return most
    nodes, previous = 0, b""
    for piece in encoded:
        nodes += len(piece) - len(commonprefix((previous, piece)))
        previous = piece
    return nodes


def _vocabulary_fault(model: Mapping[str, Any]) -> str | None:
    ids = model.get("vocab")
    if not isinstance(ids, dict) or not _are_tokens(ids):
        return f"has no vocabulary of that kind; {_TOKENS}"
    return _id_fault(ids.values())


def _id_fault(ids: Iterable[object]) -> str | None:
    for i in ids:
        if not _is_integer(i) or not 0 <= i < _MAX_ID:
            return f"has the id {i!r:.60}; expected 0 to {_MAX_ID - 1}"
    return None


def _are_tokens(tokens: Iterable[object], longest: int = _MAX_TOKEN, most_letters: int | None = None) -> bool:
    letters = count = 0
    for token in tokens:
        if not isinstance(token, str) or len(token) > longest:
            return False
        letters, count = letters + len(token), count + 1
    return count <= MAX_TOKENS and letters <= (most_letters or _MAX_LETTERS)


def _affix_fault(model: Mapping[str, Any], name: str) -> str | None:
    affix = model.get(name)
    if affix is None or (isinstance(affix, str) and len(affix) <= _MAX_AFFIX):
        return None
    return f"has the {name} {affix!r:.60}; expected at most {_MAX_AFFIX} characters"


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


_CHECKS: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    "BPE": _bpe,
    "Unigram": _unigram,
    "WordPiece": _word_piece,
}
