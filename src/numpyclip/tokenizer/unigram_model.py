"""A sentencepiece model as the package `tokenizers` uses it in transformers' `T5Tokenizer` and `XLMRobertaTokenizer`.

Words are split before pieces are found, so that ids differ from sentencepiece's own where it has its sign of a space in
a text, or pieces of equal score.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.tokenizer.sentencepiece_file import Pieces, check_sentencepiece, read_pieces
from numpyclip.tokenizer.subword_models import JsonModel, import_package, special_token
from numpyclip.tokenizer.vocabulary_json import model_fault

_MAX_EXTRA = 1000  # of T5's sentinels; published models have up to 100

Scores = list[tuple[str, float]]


def read_t5(path: Path, data: bytes, settings: Mapping[str, Any], side: str) -> JsonModel:
    """Read a `spiece.model` as `T5Tokenizer` does."""
    pieces = _read_pieces(path, data)
    count = settings.get("extra_ids", 100)
    if type(count) is not int or not 0 <= count <= _MAX_EXTRA:
        raise UnsupportedCheckpointError(f"{path}: extra_ids is {count!r:.60}; expected 0 to {_MAX_EXTRA}.")
    extra = [f"<extra_id_{i}>" for i in reversed(range(count))]
    end, unknown, pad = (_token(settings, name) for name in ("eos", "unk", "pad"))
    scores = [*pieces.scores, *((token, 0.0) for token in extra)]
    tokenizer = _make(path, pieces, scores, unknown_id=2, added=[end, unknown, pad, *extra])
    return _around(tokenizer, ["$A", end], side)


def read_xlm_roberta(path: Path, data: bytes, settings: Mapping[str, Any], side: str) -> JsonModel:
    """Read a `sentencepiece.bpe.model` as `XLMRobertaTokenizer` does, with the ids of fairseq.

    Its own special tokens come before the pieces, and its mask after them.
    """
    pieces = _read_pieces(path, data)
    special = [_token(settings, name) for name in ("bos", "pad", "eos", "unk")]
    mask = _token(settings, "mask")
    scores = [*((token, 0.0) for token in special), *pieces.scores[3:], (mask, 0.0)]
    tokenizer = _make(path, pieces, scores, unknown_id=3, added=[*special, mask])
    return _around(tokenizer, [special[0], "$A", special[2]], side)


def _read_pieces(path: Path, data: bytes) -> Pieces:
    check_sentencepiece(path, data)
    return read_pieces(data)


def _token(settings: Mapping[str, Any], name: str) -> str:
    usual = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"}[name]
    return special_token(settings, name, usual)


def _make(path: Path, pieces: Pieces, scores: Scores, unknown_id: int, added: list[str]) -> Any:
    """Make a tokenizer of the package's."""
    package = import_package("tokenizers")
    if wrong := model_fault({"type": "Unigram", "vocab": [list(pair) for pair in scores], "unk_id": unknown_id}):
        raise UnsupportedCheckpointError(f"{path}: its vocabulary {wrong}.")
    tokenizer = package.Tokenizer(package.models.Unigram(scores, unk_id=unknown_id, byte_fallback=False))
    if pieces.charsmap:
        tokenizer.normalizer = package.normalizers.Precompiled(pieces.charsmap)
    split = [package.pre_tokenizers.WhitespaceSplit(), package.pre_tokenizers.Metaspace(prepend_scheme="always")]
    tokenizer.pre_tokenizer = package.pre_tokenizers.Sequence(split)
    tokenizer.decoder = package.decoders.Metaspace(prepend_scheme="always")
    known = [token for token in dict.fromkeys([*added, *pieces.added]) if tokenizer.token_to_id(token) is not None]
    tokenizer.add_special_tokens([package.AddedToken(token, normalized=False) for token in known])
    return tokenizer


def _around(tokenizer: Any, template: list[str], side: str) -> JsonModel:
    package = import_package("tokenizers")
    ids = [(token, tokenizer.token_to_id(token)) for token in template if token != "$A"]
    tokenizer.post_processor = package.processors.TemplateProcessing(single=template, special_tokens=ids)
    return JsonModel(tokenizer, side)
