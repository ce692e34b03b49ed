"""TEXT → IDS by the packages `tokenizers` and `sentencepiece`, which read what others trained.

::

    text ──clean──▶ clean text ──model──▶ ids, cut to length ──pad──▶ row

Both packages are extras: they are imported when a file needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from numpyclip.cleaning import lower_without_punctuation, replace_surrogates, without_punctuation
from numpyclip.errors import CheckpointError, InputError, MissingPackageError, NumPyCLIPError
from numpyclip.tokenizer import checked, too_long
from numpyclip.tokenizer_transformers import cut_out

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor
    from tokenizers import Tokenizer

_SPACE = "\u2581"  # sentencepiece's


class TokenizerModel(Protocol):
    """What knows the vocabulary, and which ids stand before and after a text."""

    @property
    def least(self) -> int:
        """How many ids a text has at least."""

    def encode(self, text: str, most: int) -> tuple[list[int], int]:
        """Turn a text into ids, at most so many of them, and say how many there would be."""

    def id_of(self, token: str) -> int | None:
        """Return the id of a token, None if it has none."""

    def decode(self, ids: list[int]) -> str | None:
        """Turn ids into text, into None if there is no such id."""


@dataclass(frozen=True, eq=False)
class FileTokenizer:
    """A tokenizer that a file describes. May be used from many threads at once, and pickled.

    Attributes
    ----------
    name : str
        The file's, and a hash of what it holds.
    path : Path
        The file.
    model : TokenizerModel
    clean : callable
        What is done to a text first.
    pad_id : int
        What fills a row.
    pads_left : bool
        On which side.
    blank : int, optional
        The id that becomes 0.
    """

    name: str
    path: Path
    model: TokenizerModel
    clean: Callable[[str], str]
    pad_id: int
    pads_left: bool
    blank: int | None

    def __call__(self, texts: str | Sequence[str], context_length: int, truncate: bool = False) -> NDArray[np.int32]:
        """Turn texts into the rows that a text tower reads; see `numpyclip.tokenize`."""
        if context_length < self.model.least + 1:
            raise InputError(f"context_length: found {context_length}; expected the model's own, usually 64 or 77.")
        texts = checked(texts)
        rows = np.full((len(texts), context_length), self.pad_id, np.int32)
        for row, text in zip(rows, texts, strict=True):
            with naming(self.path):
                ids, count = self.model.encode(self.clean(replace_surrogates(text)), context_length)
                row[slice(-len(ids), None) if self.pads_left and ids else slice(len(ids))] = ids
            if count > context_length and not truncate:
                raise too_long(text, count, context_length)
        if self.blank is not None:
            rows[rows == self.blank] = 0
        return rows

    def decode(self, ids: Iterable[int]) -> str:
        """Turn ids back into text.

        Raises
        ------
        InputError
            If an id is not in the vocabulary.
        """
        listed = [int(i) for i in ids]
        text = None
        if all(0 <= i < 2**31 for i in listed):
            with naming(self.path):
                text = self.model.decode(listed)
        if text is None:
            raise InputError(f"ids: found {listed!r:.60}; expected those of the vocabulary in {self.path}.")
        return text


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have errors of the packages that read a file name it."""
    try:
        yield
    except (NumPyCLIPError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of Rust's code is no Exception
        raise CheckpointError(f"{path}: not a tokenizer that can be used ({error!r:.200}).") from error


class JsonModel:
    """What a `tokenizer.json` describes.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
    side : {"left", "right"}
        Where a text that is too long is cut.
    """

    def __init__(self, tokenizer: Tokenizer, side: str) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._side = side
        self.least = tokenizer.num_special_tokens_to_add(False)

    def encode(self, text: str, most: int) -> tuple[list[int], int]:
        """Turn a text into ids; see `TokenizerModel`."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        count = len(encoding.ids) + self.least
        if count > most:
            encoding.truncate(most - self.least, direction=self._side)
        return self._tokenizer.post_process(encoding).ids, count

    def id_of(self, token: str) -> int | None:
        """Return the id of a token, None if it has none."""
        return self._tokenizer.token_to_id(token)

    def decode(self, ids: list[int]) -> str | None:
        """Turn ids into text, into None if there is no such id."""
        if any(self._tokenizer.id_to_token(i) is None for i in ids):
            return None
        return self._tokenizer.decode(ids, skip_special_tokens=False)


def read_json(data: bytes, lower: bool, side: str) -> JsonModel:
    """Read a `tokenizer.json`, and perhaps let it lower the case first, as transformers' `Siglip2Tokenizer` does."""
    package = _tokenizers()
    tokenizer = package.Tokenizer.from_buffer(data)
    if lower:
        steps = [package.normalizers.Lowercase(), *([tokenizer.normalizer] if tokenizer.normalizer else [])]
        tokenizer.normalizer = package.normalizers.Sequence(steps)
    return JsonModel(tokenizer, side)


def read_word_pieces(data: bytes, settings: Mapping[str, Any], side: str) -> JsonModel:
    """Read BERT's `vocab.txt`, a token a line, as transformers' `BertTokenizer` does."""
    package = _tokenizers()
    vocabulary = {token: i for i, token in enumerate(data.decode("utf-8").removesuffix("\n").split("\n"))}
    tokenizer = package.Tokenizer(package.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = package.normalizers.BertNormalizer(
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        strip_accents=settings.get("strip_accents"),
        lowercase=settings.get("do_lower_case", True),
    )
    tokenizer.pre_tokenizer = package.pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = package.decoders.WordPiece()
    tokenizer.post_processor = package.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    )
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return JsonModel(tokenizer, side)


class SentencePieceModel:
    """What a `spiece.model` holds, with one token after every text.

    Parameters
    ----------
    data : bytes
        The file.
    end : str
        That token.
    """

    least = 1

    def __init__(self, data: bytes, end: str) -> None:
        self._processor = _sentencepiece()(model_proto=data)
        self._end: int = self._processor.piece_to_id(end)

    def encode(self, text: str, most: int) -> tuple[list[int], int]:
        """Turn a text into ids; see `TokenizerModel`."""
        ids = self._pieces(text)
        return [*ids[: most - 1], self._end], len(ids) + 1

    def _pieces(self, text: str) -> list[int]:
        pieces: list[int] = self._processor.encode(text)
        return pieces

    def id_of(self, token: str) -> int | None:
        """Return the id of a token, None if it has none."""
        i: int = self._processor.piece_to_id(token)
        return i if self._processor.id_to_piece(i) == token else None

    def decode(self, ids: list[int]) -> str | None:
        """Turn ids into text, into None if there is no such id."""
        if max(ids, default=0) >= self._processor.get_piece_size():
            return None
        text: str = self._processor.decode(ids)
        return text


class SiglipModel(SentencePieceModel):
    """The same as transformers' `SiglipTokenizer` uses it.

    It finds the special tokens in the raw text, drops punctuation between them, and puts no space after them.

    Parameters
    ----------
    data : bytes
        The file.
    settings : mapping
        `eos_token`, `unk_token`, `pad_token` and `do_lower_case`.
    """

    def __init__(self, data: bytes, settings: Mapping[str, Any]) -> None:
        end, self._unknown = settings.get("eos_token", "</s>"), settings.get("unk_token", "<unk>")
        super().__init__(data, end)
        specials = {end, self._unknown, settings.get("pad_token", "</s>")}
        self._specials = {token: self._processor.piece_to_id(token) for token in specials}
        self._clean = lower_without_punctuation if settings.get("do_lower_case", True) else without_punctuation
        self._opening = len(self._processor.encode(self._unknown))

    def _pieces(self, text: str) -> list[int]:
        ids: list[int] = []
        for part in cut_out(_SPACE + text.replace(_SPACE, " "), self._specials):
            if part in self._specials:
                ids = [*([] if ids == [self._space] else ids), self._specials[part]]
            elif part:  # whatever stands before it keeps sentencepiece from putting a space there
                ids += self._processor.encode(self._unknown + self._clean(part))[self._opening :]
        return ids[:-1] if ids and ids[-1] == self._end else ids

    @property
    def _space(self) -> int:
        i: int = self._processor.piece_to_id(_SPACE)
        return i


def _tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise _missing("tokenizers") from error
    return tokenizers


def _sentencepiece() -> type[SentencePieceProcessor]:
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError as error:
        raise _missing("sentencepiece") from error
    return SentencePieceProcessor


def _missing(package: str) -> MissingPackageError:
    return MissingPackageError(
        f"This model's tokenizer needs the package '{package}', which is not installed; pictures do without. "
        'Install it: pip install "numpyclip[tokenizers]".'
    )
