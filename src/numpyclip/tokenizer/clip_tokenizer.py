"""The byte-pair tokenizer of CLIP, equal id for id to that of openai/CLIP.

::

    text ──clean──▶ fixed, unescaped, lower case ──split──▶ words ──merge──▶ symbols ──▶ ids

The merges are the 48,894 that openai/CLIP uses, cut from its file by tools/make_vocabulary.py.
"""

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError
from numpyclip.tokenizer.base import checked, checked_ids, checked_length, too_long
from numpyclip.tokenizer.byte_pairs import byte_symbols, merge_symbols
from numpyclip.tokenizer.cleaning import OPEN_CLIP, clean
from numpyclip.tokenizer.excerpt import LONGEST_TOKEN, excerpt
from numpyclip.tokenizer.pre_tokenizer import END_OF_TEXT, START_OF_TEXT, split

_VOCABULARY = Path(__file__).parents[1] / "data" / "vocabulary.txt.gz"
END_OF_WORD = "</w>"
CACHED_WORDS = 32_768  # per tokenizer, the most recent: 7 MB of ordinary words, 45 MB of the worst
CACHED_LENGTH = 32  # longer words are rare, and hostile ones could fill the memory


class CLIPTokenizer:
    """The tokenizer of openai/CLIP and of every model trained on its vocabulary of 49,408 ids.

    Ids 0-255 are bytes inside a word, 256-511 bytes that end a word, then come the merges and the two special tokens.
    Id 0, also the padding, is thereby ``!`` inside a word. Thread-safe.

    Parameters
    ----------
    name : str
        See `numpyclip.tokenizer.base.Tokenizer`.
    special_tokens : pair of str
        The spelling of the start-of-text and end-of-text tokens within texts.
    clean : callable
        Applied to a text first.
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
        # Ids 0-511 are in the order of the characters, not of their bytes.
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
        """Tell whether a vocabulary and its merges (as in `merges`) are these."""
        return ids == self._ids and list(self._ranks) == merges

    @property
    def vocabulary(self) -> Mapping[str, int]:
        """The id of every symbol, as in other libraries' ``vocab.json``."""
        return self._ids

    @property
    def merges(self) -> Iterable[str]:
        """Pairs of symbols to merge, with a space between, the best ranked first, as in ``merges.txt``."""
        return self._ranks

    def _merge_word(self, word: str) -> tuple[int, ...]:
        if word in self._special_tokens:
            return (self._ids[word],)
        symbols = [self._byte_symbols[byte] for byte in word.encode("utf-8")]
        symbols[-1] += END_OF_WORD
        return tuple(self._ids[symbol] for symbol in merge_symbols(symbols, self._ranks))

    def encode(self, text: str) -> list[int]:
        """Convert one text of any length to ids, without the start-of-text and end-of-text tokens."""
        return [*chain.from_iterable(self._words(text))]

    def _words(self, text: str, longest: int | None = None) -> Iterator[Sequence[int]]:
        """Yield the ids of one word after another, of at most so many characters of each."""
        return (self._ids_of(word[:longest]) for word in split(self._clean(text), self._special_tokens))

    def _ids_of(self, word: str) -> tuple[int, ...]:
        return self._word_ids(word) if len(word) <= CACHED_LENGTH else self._merge_word(word)

    def decode(self, ids: Iterable[int]) -> str:
        """Convert ids, special tokens and padding included, to lower-case text; InputError for unknown ids."""
        symbols = []
        for i in checked_ids(ids):
            if not 0 <= i < len(self._symbols):
                raise InputError(f"ids: found {i}; expected 0 to {len(self._symbols) - 1}; check the ids.")
            symbols.append(self._symbols[i])
        byte_of = {character: byte for byte, character in enumerate(self._byte_symbols)}
        data = bytes(byte_of[character] for character in "".join(symbols))
        return data.decode("utf-8", errors="replace").replace(END_OF_WORD, " ")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __call__(
        self, texts: str | Sequence[str], context_length: int = 77, truncate: bool = False
    ) -> NDArray[np.int32]:
        """Convert texts to the rows that a text tower takes; see `tokenize`."""
        context_length = checked_length(context_length)
        texts = checked(texts)
        rows = np.full((len(texts), context_length), self.pad_id, dtype=np.int32)
        start, end = (self._ids[token] for token in self._special_tokens)
        for i, text in enumerate(texts):
            part, is_cut = excerpt(text, context_length)
            words = self._words(part, LONGEST_TOKEN * context_length if truncate or is_cut else None)
            ids = [start, *islice(chain.from_iterable(words), context_length if truncate else None), end]
            if (len(ids) > context_length or is_cut) and not truncate:
                raise too_long(text, len(ids), context_length, at_least=is_cut)
            if len(ids) > context_length:
                ids[context_length - 1 :] = [end]
            rows[i, : len(ids)] = ids
        return rows


@cache
def default_tokenizer() -> CLIPTokenizer:
    """Return openai/CLIP's tokenizer, which is built once."""
    return CLIPTokenizer()


@cache
def open_clip_tokenizer(clean: str = "lower") -> CLIPTokenizer:
    """Return OpenCLIP's, which spells the special tokens differently, with its option `clean`."""
    special_tokens = ("<start_of_text>", "<end_of_text>")
    return CLIPTokenizer("open_clip" if clean == "lower" else f"open_clip {clean}", special_tokens, OPEN_CLIP[clean])


def tokenize(texts: str | Sequence[str], context_length: int = 77, truncate: bool = False) -> NDArray[np.int32]:
    """Convert texts to rows of ids, as ``clip.tokenize``: start-of-text token, ids, end-of-text token, zeros.

    Parameters
    ----------
    texts : str or sequence of str
        One text is a batch of one.
    context_length : int, default=77
        Length of a row; 77 in all of OpenAI's models.
    truncate : bool, default=False
        Cut a text that is too long, keeping the end-of-text token, instead of raising. At most 128 characters per
        token of `context_length` are read (9,856 for 77 tokens), not counting a long run of white space.

    Returns
    -------
    ndarray of shape (n_texts, context_length), dtype=int32

    Raises
    ------
    InputError
        If a text is not a str, or `context_length` is no integer of 1 to 65,536.
    TextTooLongError
        If a text needs more than `context_length` ids and `truncate` is false.
    """
    return default_tokenizer()(texts, context_length, truncate)
