r"""TEXT -> IDS: the byte-pair tokenizer of CLIP, equal id for id to that of openai/CLIP.

::

    text ──clean──▶ mended, unescaped, lower case ──split──▶ words ──merge──▶ symbols ──▶ ids

openai/CLIP splits text with the third-party package `regex` and the properties ``\p{L}``, ``\p{N}`` and
``\s``, under IGNORECASE.  Here the standard `re` gets those classes as ranges, recorded from `regex` by
tools/make_unicode_classes.py, so that ids do not change with Python's version of Unicode.  (Mending and
lower-casing do follow Python's Unicode, as in the reference.)

The merges are the 48,894 that openai/CLIP uses, cut from its file by tools/make_vocabulary.py.
"""

import gzip
import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from heapq import heappop, heappush
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from numpyclip.cleaning import OPEN_CLIP, clean
from numpyclip.errors import InputError, TextTooLongError

DATA = Path(__file__).parent / "data"
START_OF_TEXT = "<|startoftext|>"  # id 49406
END_OF_TEXT = "<|endoftext|>"  # id 49407; argmax finds it, as no id is larger
END_OF_WORD = "</w>"
CACHED_WORDS = 32_768  # per tokenizer, the latest used: 7 MB of ordinary words, 45 MB of the worst
CACHED_LENGTH = 32  # longer words are rare, so not worth the memory that a hostile one could take

# --- split ----------------------------------------------------------------------------------------


def _word_pattern(letters: str, numbers: str, gaps: str, fixed: str) -> re.Pattern[str]:
    """Compile the pattern of a word from the insides of three character classes, and the words of fixed spelling.

    The reference lists letters and numbers last.  No other alternative starts with one, so first is the
    same, and faster.
    """
    return re.compile(rf"[{letters}]+|[{numbers}]|{fixed}|[^{gaps}{letters}{numbers}]+")


def _fixed_words(marks: tuple[str, str], ignore_case: bool) -> str:
    start, end = map(re.escape, marks)
    return rf"(?{'i' if ignore_case else ''}:{start}|{end}|'s|'t|'re|'ve|'m|'ll|'d)"  # i: a long s is an s, too


@cache
def _ascii_words(marks: tuple[str, str], ignore_case: bool) -> re.Pattern[str]:
    return _word_pattern("A-Za-z", "0-9", r"\t-\r ", _fixed_words(marks, ignore_case))


@cache
def _unicode_words(marks: tuple[str, str], ignore_case: bool) -> re.Pattern[str]:
    classes: dict[str, str] = defaultdict(str)
    for line in (DATA / "unicode_classes.txt").read_text("ascii").splitlines():
        if not line.startswith("#"):
            name, first, last = line.split()
            if ignore_case or (name, first) != ("gap", "0345"):  # a gap to `regex` under IGNORECASE only
                classes[name] += rf"\U{first:0>8}-\U{last:0>8}"
    return _word_pattern(classes["letter"], classes["number"], classes["gap"], _fixed_words(marks, ignore_case))


def split(text: str, marks: tuple[str, str] = (START_OF_TEXT, END_OF_TEXT), *, ignore_case: bool = True) -> list[str]:
    """Split clean text into runs of letters, single digits, runs of other marks, and English endings."""
    pattern = (_ascii_words if text.isascii() else _unicode_words)(marks, ignore_case)
    words: list[str] = pattern.findall(text)
    return words


# --- merge ----------------------------------------------------------------------------------------


def _byte_symbols() -> list[str]:
    """Return the visible character that stands for each byte in the vocabulary (GPT-2's convention).

    Printable bytes of Latin-1 stand for themselves; the others, in order, for U+0100 and up.
    """
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = iter(range(0x100, 0x200))
    return [chr(byte if byte in visible else next(hidden)) for byte in range(256)]


def merge_symbols(symbols: list[str], ranks: dict[str, int]) -> list[str]:
    """Join neighbouring symbols, best ranked pair first, until no pair is in `ranks`.

    One turn of the loop is one round of the reference: it joins every occurrence of the best pair, from left
    to right.  But it knows where they are instead of searching, hence O(n log n) instead of rounds times n.
    A place is noted whenever a pair comes to be there; by the time of its round an older join may have used
    one of the two symbols, so the pair is checked again.  A join makes only pairs longer than its own, so a
    round never adds to itself.

    Parameters
    ----------
    symbols : list of str
        The word, one symbol per byte.  Overwritten.
    ranks : dict
        From a pair, as two symbols with a space between, to its rank.
    """
    symbols.append("")  # a neighbour for both ends (the first looks at index -1) that is in no pair
    after = list(range(1, len(symbols) + 1))
    before = list(range(-1, len(symbols) - 1))
    queue: list[int] = []
    places: dict[int, list[int]] = {}

    def note(left: int, right: int) -> None:
        rank = ranks.get(f"{symbols[left]} {symbols[right]}")
        if rank is not None:
            if rank not in places:
                places[rank] = []
                heappush(queue, rank)
            places[rank].append(left)

    for left in range(len(symbols) - 1):
        note(left, left + 1)
    while queue:
        rank = heappop(queue)
        for left in sorted(places.pop(rank)):
            right = after[left]
            if ranks.get(f"{symbols[left]} {symbols[right]}") == rank:
                symbols[left] += symbols[right]
                symbols[right] = ""
                after[left] = after[right]
                before[after[right]] = left
                note(before[left], left)
                note(left, after[left])
    return [symbol for symbol in symbols if symbol]


# --- ids ------------------------------------------------------------------------------------------


class Tokenizer(Protocol):
    """What a model needs of its tokenizer."""

    @property
    def name(self) -> str:
        """What tells it from others: the same name, the same ids."""

    def __call__(self, texts: str | Sequence[str], context_length: int, truncate: bool = False) -> NDArray[np.int32]:
        """Turn texts into rows of ids; see `tokenize`."""

    def decode(self, ids: Iterable[int]) -> str:
        """Turn ids back into text."""


class CLIPTokenizer:
    """The tokenizer of openai/CLIP and of every model trained on its vocabulary of 49,408 ids.

    Ids 0-255 are bytes inside a word, 256-511 bytes that end a word, then come the merges and the two marks.
    Id 0, which also pads, is thereby ``!`` inside a word.  May be used from many threads at once.

    Parameters
    ----------
    name : str
        What tells it from others with other ids.
    marks : pair of str
        How the marks of start and end are spelled where a text has them.
    clean : callable
        What is done to a text first.
    """

    pad_id = 0

    def __init__(
        self,
        name: str = "openai",
        marks: tuple[str, str] = (START_OF_TEXT, END_OF_TEXT),
        clean: Callable[[str], str] = clean,
    ) -> None:
        self.name = name
        self._marks = marks
        self._clean = clean
        merges = gzip.decompress((DATA / "vocabulary.txt.gz").read_bytes()).decode("utf-8").split("\n")
        self._byte_symbols = _byte_symbols()
        # The order of ids 0-511 is that of the characters, not of the bytes they stand for.
        characters = sorted(self._byte_symbols)
        self._symbols = [
            *characters,
            *(character + END_OF_WORD for character in characters),
            *(merge.replace(" ", "") for merge in merges),
            *marks,
        ]
        self._ids = {symbol: i for i, symbol in enumerate(self._symbols)}
        self._ranks = {merge: rank for rank, merge in enumerate(merges)}
        self._word_ids = lru_cache(CACHED_WORDS)(self._merge_word)

    def __reduce__(self) -> tuple[object, ...]:  # its cache cannot be pickled
        return CLIPTokenizer, (self.name, self._marks, self._clean)

    def has(self, ids: Mapping[str, int], merges: Sequence[str]) -> bool:
        """Tell whether a vocabulary and its merges (two symbols with a space between, in order) are these."""
        return ids == self._ids and list(self._ranks) == merges

    @property
    def vocabulary(self) -> Mapping[str, int]:
        """The id of every symbol, in the form in which other libraries keep it, too (``vocab.json``)."""
        return self._ids

    @property
    def merges(self) -> Iterable[str]:
        """Pairs of symbols to join, with a space between, the best ranked first (``merges.txt``)."""
        return self._ranks

    def _merge_word(self, word: str) -> tuple[int, ...]:
        if word in self._marks:
            return (self._ids[word],)
        symbols = [self._byte_symbols[byte] for byte in word.encode("utf-8")]
        symbols[-1] += END_OF_WORD
        return tuple(self._ids[symbol] for symbol in merge_symbols(symbols, self._ranks))

    def encode(self, text: str) -> list[int]:
        """Turn one text of any length into ids, without the marks of start and end."""
        ids: list[int] = []
        for word in split(self._clean(text), self._marks):
            ids += self._ids_of(word)
        return ids

    def _ids_of(self, word: str) -> tuple[int, ...]:
        return self._word_ids(word) if len(word) <= CACHED_LENGTH else self._merge_word(word)

    def decode(self, ids: Iterable[int]) -> str:
        """Turn ids, marks and padding included, back into the lower-case text they stand for.

        Raises
        ------
        InputError
            If an id is not in the vocabulary.
        """
        symbols = []
        for i in map(operator.index, ids):
            if not 0 <= i < len(self._symbols):
                raise InputError(f"ids: found {i}; expected 0 to {len(self._symbols) - 1}; check the ids.")
            symbols.append(self._symbols[i])
        byte_of = {character: byte for byte, character in enumerate(self._byte_symbols)}
        data = bytes(byte_of[character] for character in "".join(symbols))
        return data.decode("utf-8", errors="replace").replace(END_OF_WORD, " ")

    def __call__(
        self, texts: str | Sequence[str], context_length: int = 77, truncate: bool = False
    ) -> NDArray[np.int32]:
        """Turn texts into the rows that a text tower reads; see `tokenize`."""
        if context_length < 1:
            raise InputError(f"context_length: found {context_length}; expected the model's own, usually 77.")
        texts = checked(texts)
        rows = np.full((len(texts), context_length), self.pad_id, dtype=np.int32)
        start, end = (self._ids[mark] for mark in self._marks)
        for i, text in enumerate(texts):
            ids = [start, *self.encode(text), end]
            if len(ids) > context_length:
                if not truncate:
                    raise too_long(text, len(ids), context_length)
                ids[context_length - 1 :] = [end]
            rows[i, : len(ids)] = ids
        return rows


def checked(texts: str | Sequence[str]) -> Sequence[str]:
    """Return a list of texts.

    Raises
    ------
    InputError
        If it is none, nor a single text.
    """
    if isinstance(texts, str):
        return [texts]
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise InputError(f"texts: found {type(texts).__name__}; expected str or a sequence of it; convert it.")
    texts = list(texts)
    for text in texts:
        if not isinstance(text, str):
            raise InputError(f"texts: found {_quoted(text)}, a {type(text).__name__}; expected str; convert it first.")
    return texts


def too_long(text: str, count: int, most: int) -> TextTooLongError:
    """Make an error about a text of so many tokens."""
    return TextTooLongError(
        f"text {_quoted(text)}: {count} tokens with the marks of start and end; "
        f"expected at most {most}; shorten it or pass truncate=True (--truncate)."
    )


def _quoted(text: object, limit: int = 60) -> str:
    quoted = repr(text)
    return quoted if len(quoted) <= limit else f"{quoted[:limit]}..."


@cache
def default_tokenizer() -> CLIPTokenizer:
    """Build the tokenizer on the first call and return the same one ever after."""
    return CLIPTokenizer()


@cache
def open_clip_tokenizer(clean: str = "lower") -> CLIPTokenizer:
    """Build OpenCLIP's, which spells the two marks otherwise, and may clean texts as its option of this name says."""
    marks = ("<start_of_text>", "<end_of_text>")
    return CLIPTokenizer("open_clip" if clean == "lower" else f"open_clip {clean}", marks, OPEN_CLIP[clean])


def tokenize(texts: str | Sequence[str], context_length: int = 77, truncate: bool = False) -> NDArray[np.int32]:
    """Turn texts into rows of ids, as ``clip.tokenize``: start mark, ids, end mark, zeros.

    Parameters
    ----------
    texts : str or sequence of str
        One text is a batch of one.
    context_length : int, default=77
        Length of a row; 77 in all of OpenAI's models.
    truncate : bool, default=False
        Cut a text that is too long, keeping the end mark, instead of raising.

    Returns
    -------
    ndarray of shape (n_texts, context_length), dtype=int32

    Raises
    ------
    InputError
        If a text is not a str, or `context_length` is below 1.
    TextTooLongError
        If a text needs more than `context_length` ids and `truncate` is false.
    """
    return default_tokenizer()(texts, context_length, truncate)
