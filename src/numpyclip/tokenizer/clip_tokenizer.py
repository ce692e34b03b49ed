"""The byte-pair tokenizer of CLIP, equal id for id to that of openai/CLIP.

::

    text ──clean──▶ mended, unescaped, lower case ──split──▶ words ──merge──▶ symbols ──▶ ids

The merges are the 48,894 that openai/CLIP uses, cut from its file by tools/make_vocabulary.py.
"""

import gzip
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError
from numpyclip.tokenizer.base import checked, checked_ids, checked_length, too_long
from numpyclip.tokenizer.byte_pairs import byte_symbols, merge_symbols
from numpyclip.tokenizer.cleaning import OPEN_CLIP, clean
from numpyclip.tokenizer.pre_tokenizer import END_OF_TEXT, START_OF_TEXT, split

_VOCABULARY = Path(__file__).parents[1] / "data" / "vocabulary.txt.gz"
END_OF_WORD = "</w>"
CACHED_WORDS = 32_768  # per tokenizer, the latest used: 7 MB of ordinary words, 45 MB of the worst
CACHED_LENGTH = 32  # longer words are rare, so not worth the memory that a hostile one could take


class CLIPTokenizer:
    """The tokenizer of openai/CLIP and of every model trained on its vocabulary of 49,408 ids.

    Ids 0-255 are bytes inside a word, 256-511 bytes that end a word, then come the merges and the two special tokens.
    Id 0, which also pads, is thereby ``!`` inside a word.  May be used from many threads at once.

    Parameters
    ----------
    name : str
        What tells it from others with other ids.
    special_tokens : pair of str
        How the start-of-text and end-of-text tokens are spelled where a text has them.
    clean : callable
        What is done to a text first.
    """

    pad_id = 0

    def __init__(
        self,
        name: str = "openai",
        special_tokens: tuple[str, str] = (START_OF_TEXT, END_OF_TEXT),
        clean: Callable[[str], str] = clean,
    ) -> None:
        self.name = name
        self._special_tokens = special_tokens
        self._clean = clean
        merges = gzip.decompress(_VOCABULARY.read_bytes()).decode("utf-8").split("\n")
        self._byte_symbols = byte_symbols()
        # The order of ids 0-511 is that of the characters, not of the bytes they stand for.
        characters = sorted(self._byte_symbols)
        self._symbols = [
            *characters,
            *(character + END_OF_WORD for character in characters),
            *(merge.replace(" ", "") for merge in merges),
            *special_tokens,
        ]
        self._ids = {symbol: i for i, symbol in enumerate(self._symbols)}
        self._ranks = {merge: rank for rank, merge in enumerate(merges)}
        self._word_ids = lru_cache(CACHED_WORDS)(self._merge_word)

    def __reduce__(self) -> tuple[object, ...]:  # its cache cannot be pickled
        return CLIPTokenizer, (self.name, self._special_tokens, self._clean)

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
        if word in self._special_tokens:
            return (self._ids[word],)
        symbols = [self._byte_symbols[byte] for byte in word.encode("utf-8")]
        symbols[-1] += END_OF_WORD
        return tuple(self._ids[symbol] for symbol in merge_symbols(symbols, self._ranks))

    def encode(self, text: str) -> list[int]:
        """Turn one text of any length into ids, without the start-of-text and end-of-text tokens."""
        ids: list[int] = []
        for word in split(self._clean(text), self._special_tokens):
            ids += self._ids_of(word)
        return ids

    def _ids_of(self, word: str) -> tuple[int, ...]:
        return self._word_ids(word) if len(word) <= CACHED_LENGTH else self._merge_word(word)

    def decode(self, ids: Iterable[int]) -> str:
        """Turn ids, special tokens and padding included, back into the lower-case text they stand for.

        Raises
        ------
        InputError
            If an id is no whole number, or not in the vocabulary.
        """
        symbols = []
        for i in checked_ids(ids):
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
        context_length = checked_length(context_length)
        texts = checked(texts)
        rows = np.full((len(texts), context_length), self.pad_id, dtype=np.int32)
        start, end = (self._ids[token] for token in self._special_tokens)
        for i, text in enumerate(texts):
            ids = [start, *self.encode(text), end]
            if len(ids) > context_length:
                if not truncate:
                    raise too_long(text, len(ids), context_length)
                ids[context_length - 1 :] = [end]
            rows[i, : len(ids)] = ids
        return rows


@cache
def default_tokenizer() -> CLIPTokenizer:
    """Build the tokenizer on the first call and return the same one ever after."""
    return CLIPTokenizer()


@cache
def open_clip_tokenizer(clean: str = "lower") -> CLIPTokenizer:
    """Build OpenCLIP's, which spells the special tokens otherwise, and cleans texts as its option of this name says."""
    special_tokens = ("<start_of_text>", "<end_of_text>")
    return CLIPTokenizer("open_clip" if clean == "lower" else f"open_clip {clean}", special_tokens, OPEN_CLIP[clean])


def tokenize(texts: str | Sequence[str], context_length: int = 77, truncate: bool = False) -> NDArray[np.int32]:
    """Turn texts into rows of ids, as ``clip.tokenize``: start-of-text token, ids, end-of-text token, zeros.

    Parameters
    ----------
    texts : str or sequence of str
        One text is a batch of one.
    context_length : int, default=77
        Length of a row; 77 in all of OpenAI's models.
    truncate : bool, default=False
        Cut a text that is too long, keeping the end-of-text token, instead of raising.

    Returns
    -------
    ndarray of shape (n_texts, context_length), dtype=int32

    Raises
    ------
    InputError
        If a text is not a str, or `context_length` is no whole number of 1 or more (nor more than 65,536).
    TextTooLongError
        If a text needs more than `context_length` ids and `truncate` is false.
    """
    return default_tokenizer()(texts, context_length, truncate)
