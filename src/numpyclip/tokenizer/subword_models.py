"""Vocabularies of the packages `tokenizers` and `sentencepiece`: extras, imported when a file needs them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.extras import missing
from numpyclip.tokenizer.cleaning import lower_without_punctuation, without_punctuation
from numpyclip.tokenizer.clip_transformers import cut_out
from numpyclip.tokenizer.sentencepiece_file import check_sentencepiece
from numpyclip.tokenizer.tokenizer_json import check_tokenizer
from numpyclip.tokenizer.vocabulary_json import ADDED_FLAGS, MAX_TOKENS, added_fault

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WORD_PIECES_SPECIAL = ("pad", "unk", "cls", "sep", "mask")
_SPACE = "\u2581"  # sentencepiece's


class JsonModel:
    """The vocabulary of a `tokenizer.json`; a text that is too long is truncated on one side, "left" or "right"."""

    def __init__(self, tokenizer: Tokenizer, side: str) -> None:
        padding = tokenizer.padding
        self.padding_side: str | None = padding["direction"] if padding else None
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._side = side
        self.keeps_end = side == "left"
        self.min_length = tokenizer.num_special_tokens_to_add(False)

    def encode(self, text: str, max_length: int) -> tuple[list[int], int]:
        """Convert a text to ids; see `TokenizerModel`."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        count = len(encoding.ids) + self.min_length
        if count > max_length:
            encoding.truncate(max_length - self.min_length, direction=self._side)
        return self._tokenizer.post_process(encoding).ids, count

    def id_of(self, token: str) -> int | None:
        """Return the id of a token, None if it has none."""
        return self._tokenizer.token_to_id(token)

    def token_of(self, i: int) -> str:
        """Return the token of an id that it has."""
        return str(self._tokenizer.id_to_token(i))

    def to_json(self) -> str:
        """Return a `tokenizer.json` of it, without padding and truncation."""
        return str(self._tokenizer.to_str())

    def decode(self, ids: list[int]) -> str | None:
        """Convert ids to text, None if one is unknown."""
        if any(self._tokenizer.id_to_token(i) is None for i in ids):
            return None
        return self._tokenizer.decode(ids, skip_special_tokens=False)


def read_json(path: Path, data: bytes, lower: bool, side: str, template: Sequence[str] = ()) -> JsonModel:
    """Read a `tokenizer.json`.

    It may lower-case first, as transformers' `Siglip2Tokenizer` does, or have other tokens around a text ("$A").
    """
    package = import_package("tokenizers")
    check_tokenizer(path, data)
    tokenizer = package.Tokenizer.from_buffer(data)
    if lower:
        steps = [package.normalizers.Lowercase(), *([tokenizer.normalizer] if tokenizer.normalizer else [])]
        tokenizer.normalizer = package.normalizers.Sequence(steps)
    if template:
        around = {token: tokenizer.token_to_id(token) for token in template if token != "$A"}
        if missing := [token for token, i in around.items() if i is None]:
            raise UnsupportedCheckpointError(
                f"{path}: has no token {missing[0]!r:.60}; expected the code of a language."
            )
        tokenizer.post_processor = package.processors.TemplateProcessing(
            single=list(template), special_tokens=list(around.items())
        )
    return JsonModel(tokenizer, side)


def special_token(settings: Mapping[str, Any], name: str, usual: str) -> str:
    """Return a special token, "cls" say, as settings have it."""
    token = settings.get(f"{name}_token")
    return str((token.get("content") if isinstance(token, dict) else token) or usual)


def read_word_pieces(
    path: Path, data: bytes, settings: Mapping[str, Any], added: Sequence[Mapping[str, Any]], side: str
) -> JsonModel:
    """Read BERT's `vocab.txt`, a token a line, as transformers' `BertTokenizer` does, and tokens added to it."""
    package = import_package("tokenizers")
    if data.count(b"\n") > MAX_TOKENS:
        raise UnsupportedCheckpointError(f"{path}: has more than {MAX_TOKENS} lines; expected a token a line.")
    vocabulary = {token: i for i, token in enumerate(data.decode("utf-8").removesuffix("\n").split("\n"))}
    special = {name: special_token(settings, name, f"[{name.upper()}]") for name in WORD_PIECES_SPECIAL}
    tokenizer = package.Tokenizer(package.models.WordPiece(vocabulary, unk_token=special["unk"]))
    tokenizer.normalizer = package.normalizers.BertNormalizer(
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        strip_accents=settings.get("strip_accents"),
        lowercase=settings.get("do_lower_case", True),
    )
    tokenizer.pre_tokenizer = package.pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = package.decoders.WordPiece()
    tokenizer.post_processor = package.processors.TemplateProcessing(
        single=[special["cls"], "$A", special["sep"]],
        special_tokens=[(special[name], vocabulary[special[name]]) for name in ("cls", "sep")],
    )
    if wrong := added_fault([{"content": token.get("content"), "id": 0} for token in added]):
        raise UnsupportedCheckpointError(f"{path}: the list of added tokens {wrong}.")
    for token in added:
        flags = {flag: bool(token.get(flag)) for flag in ADDED_FLAGS}
        tokenizer.add_tokens([package.AddedToken(token["content"], **flags)])
    tokenizer.add_special_tokens([*special.values()])
    return JsonModel(tokenizer, side)


class SentencePieceModel:
    """The vocabulary of a `spiece.model` as transformers' `SiglipTokenizer` uses it.

    Special tokens are found in the raw text, and one ends it. There is no punctuation, nor a space after such a token.
    """

    min_length = 1
    keeps_end = False
    padding_side: str | None = None

    def __init__(self, path: Path, data: bytes, settings: Mapping[str, Any]) -> None:
        package = import_package("sentencepiece")
        check_sentencepiece(path, data)
        self._processor = package.SentencePieceProcessor(model_proto=data)
        names = ("eos_token", "unk_token", "pad_token", "do_lower_case")
        self.settings = {name: settings[name] for name in names if name in settings}
        end, self._unknown = settings.get("eos_token", "</s>"), settings.get("unk_token", "<unk>")
        tokens = (end, self._unknown, settings.get("pad_token", end))
        self._specials: dict[str, int] = {token: self._processor.piece_to_id(token) for token in tokens}
        self._end = self._specials[end]
        self._clean = lower_without_punctuation if settings.get("do_lower_case", True) else without_punctuation
        self._opening = len(self._processor.encode(self._unknown))

    def encode(self, text: str, max_length: int) -> tuple[list[int], int]:
        """Convert a text to ids; see `TokenizerModel`."""
        ids = self._pieces(text)
        return [*ids[: max_length - 1], self._end], len(ids) + 1

    def _pieces(self, text: str) -> list[int]:
        ids: list[int] = []
        for part in cut_out(_SPACE + text.replace(_SPACE, " "), self._specials):
            ids += [self._specials[part]] if part in self._specials else self._plain_pieces(part)
        return ids

    def _plain_pieces(self, text: str) -> list[int]:
        pieces: list[int] = self._processor.encode(self._unknown + self._clean(text))
        return pieces[self._opening :]  # without that prefix, sentencepiece would add a space

    def id_of(self, token: str) -> int | None:
        """Return the id of a token, None if it has none."""
        i: int = self._processor.piece_to_id(token)
        return i if self._processor.id_to_piece(i) == token else None

    def decode(self, ids: list[int]) -> str | None:
        """Convert ids to text, None if one is unknown."""
        if max(ids, default=0) >= self._processor.get_piece_size():
            return None
        text: str = self._processor.decode(ids)
        return text


def import_package(package: str) -> Any:
    """Import one of the two packages; MissingPackageError if it is not installed."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise missing(
            f"tokenizing texts for this model needs the package '{package}' (images do not)", "tokenizers"
        ) from error
