"""TEXT → IDS by the tokenizer whose files are beside the weights, as Hugging Face's libraries save them.

`tokenizer.json` is complete. Older models have only the vocabulary, `spiece.model` (sentencepiece), `vocab.txt` (BERT),
or `vocab.json` and `merges.txt` (CLIP); the rest is in the code of the class that `tokenizer_config.json` names.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpyclip.errors import CheckpointError, MissingPackageError
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.tokenizer.cleaning import OPEN_CLIP, lower_without_punctuation
from numpyclip.tokenizer.clip_files import as_tokenizer_json, has_steps_of
from numpyclip.tokenizer.clip_tokenizer import default_tokenizer
from numpyclip.tokenizer.clip_transformers import TransformersCLIPTokenizer
from numpyclip.tokenizer.file_tokenizer import FileTokenizer, TokenizerModel, UnreadableTokenizer, naming
from numpyclip.tokenizer.pre_tokenizer import END_OF_TEXT, START_OF_TEXT
from numpyclip.tokenizer.subword_models import (
    WORD_PIECES_SPECIAL,
    SentencePieceModel,
    read_json,
    read_word_pieces,
    special_token,
)
from numpyclip.tokenizer.unigram_model import read_t5, read_xlm_roberta
from numpyclip.weights.json_file import read_bytes, read_json_object

Settings = Mapping[str, Any]

_MAX_VOCABULARY = 2**27  # bytes; published ones have up to 70 million
_MAX_TOKEN = 512  # characters of a special token
_SETTINGS = (2**22, "a tokenizer")  # bytes, and what is expected
_OPTIONS = ("do_lower_case", "strip_accents", "tokenize_chinese_chars", "truncation_side")

# Classes → the files that they read, in transformers' order, and their default padding.
_FILES = {
    "": ("tokenizer.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model"),
    "BertTokenizer": ("tokenizer.json", "vocab.txt"),
    "DistilBertTokenizer": ("tokenizer.json", "vocab.txt"),
    "T5Tokenizer": ("tokenizer.json", "spiece.model"),
    "MT5Tokenizer": ("tokenizer.json", "spiece.model"),
    "XLMRobertaTokenizer": ("tokenizer.json", "sentencepiece.bpe.model"),
    "SiglipTokenizer": ("spiece.model", "tokenizer.json"),
    "CLIPTokenizer": ("tokenizer.json", "vocab.json"),
}
_PADDED_LEFT = ("CodeLlamaTokenizer", "CohereTokenizer", "GemmaTokenizer", "LlamaTokenizer", "Siglip2Tokenizer")
_PADS = {"CLIPTokenizer": (END_OF_TEXT,), "SiglipTokenizer": ("</s>",)}


@dataclass(frozen=True)
class TokenizerRules:
    """What the files of a family's tokenizers do not say."""

    default: str  # transformers' class, if `tokenizer_config.json` names none
    lower: bool = False  # lower-case all texts, whatever the class
    strip_sep_token: bool = False  # the separator becomes 0
    pad_id: int | None = None  # by the config file of the model, if it must be the tokenizer's


def open_clip_file_tokenizer(folder: Path, repository: str, clean: str, strip_sep_token: bool) -> Tokenizer:
    """Read the tokenizer of a repository, with the options of OpenCLIP's `HFTokenizer`, which wraps it."""
    hint = f"the model was trained with that of {repository!r:.100}: put it, from huggingface.co, into the folder"
    return _read_tokenizer(folder, OPEN_CLIP[clean], hint, TokenizerRules("", strip_sep_token=strip_sep_token))


def hugging_face_tokenizer(folder: Path, rules: TokenizerRules) -> Tokenizer:
    """Read the tokenizer of a model in the layout of transformers.

    CLIP's own vocabulary needs no package. SigLIP 1 ignores case and punctuation, as in transformers. SigLIP 2 ignores
    only case, as in its training (``lower|tok`` in big_vision's SigLIP2_demo.ipynb, which lower-cases ASCII letters
    only); of transformers' classes `Siglip2Tokenizer` does so, but not `GemmaTokenizer`, which the models of fixed
    resolution name.
    """
    name = _class(_settings(folder), rules.default)
    if name == "CLIPTokenizer" and (found := _read_clip(folder)):
        return found
    is_siglip_1 = name == "SiglipTokenizer"  # which lower-cases by itself
    clean = lower_without_punctuation if is_siglip_1 and not (folder / "spiece.model").exists() else _as_it_is
    hint = "put it there, from where the weights come"
    return _read_tokenizer(folder, clean, hint, replace(rules, lower=rules.lower and not is_siglip_1))


def _as_it_is(text: str) -> str:
    return text


def _read_tokenizer(folder: Path, clean: Callable[[str], str], hint: str, options: TokenizerRules) -> Tokenizer:
    settings = _settings(folder)
    tokens, name = _tokens(folder, settings), _class(settings, options.default)
    path = _find(folder, name, hint)
    data = _read_file(path, settings, name)
    with naming(path):
        added = [] if path.suffix == ".json" else _added_tokens(folder, settings)
        unusual = _unusual(settings, added) if path.suffix == ".txt" else []
    settings = {**settings, **tokens}
    padding_side = settings.get("padding_side")
    pads_left = (padding_side or ("left" if name in _PADDED_LEFT else "right")) == "left"
    lower, strip = options.lower, options.strip_sep_token
    rules = (clean.__name__, lower, strip, pads_left, name, *(settings.get(o) for o in _OPTIONS), tokens)
    rules += tuple(filter(None, [_template(settings, name), unusual]))
    known_as = f"{path.name} {hashlib.sha256(data + repr(rules).encode()).hexdigest()[:16]}"
    try:
        with naming(path):
            model = _read_model(path, data, settings, added, name, lower)
            pad_id = _id_of(path, model, tokens.get("pad_token"), _PADS.get(name, ("[PAD]", "<pad>")))
            zeroed_id = _id_of(path, model, tokens.get("sep_token"), ("[SEP]", "</s>")) if strip else None
    except MissingPackageError as error:
        return UnreadableTokenizer(known_as, str(error))
    if options.pad_id not in (None, pad_id):
        raise CheckpointError(
            f"{path}: pads texts with the token {pad_id}; expected {options.pad_id}, the pad_token_id in the model's "
            "config file. Use the two files that belong together."
        )
    if not padding_side and model.padding_side:
        pads_left = model.padding_side == "left"
    return FileTokenizer(known_as, path, model, clean, pad_id, pads_left, zeroed_id)


def _find(folder: Path, name: str, hint: str) -> Path:
    files = _FILES.get(name, ("tokenizer.json",))
    for file in files:
        if (folder / file).is_file():
            return folder / file
    raise CheckpointError(
        f"{folder}: has no tokenizer{f' for the class {name!r:.100}' if name else ''}; expected {' or '.join(files)}: "
        f"{hint}. Only texts need it."
    )


def _read_file(path: Path, settings: Settings, name: str) -> bytes:
    """Read a vocabulary; that of CLIP's two files, or with other steps, as the class makes it."""
    is_json = path.name == "tokenizer.json"
    data = b"" if path.name == "vocab.json" else read_bytes(path, _MAX_VOCABULARY, "a tokenizer")
    if data and not (is_json and name == "CLIPTokenizer" and len(data) <= _SETTINGS[0]):
        return data
    try:
        with naming(path):
            ids, merges, added = _clip_vocabulary(path.parent, settings)
            made = as_tokenizer_json(ids, merges, _tokens(path.parent, settings), added)
    except CheckpointError:
        if not data:
            raise
        return data  # which is checked part by part
    return data if data and has_steps_of(data, made) else made


def _unusual(settings: Settings, added: Sequence[Mapping[str, Any]]) -> Sequence[object]:
    """List the tokens of word pieces that are not BERT's own."""
    usual = {name: f"[{name.upper()}]" for name in WORD_PIECES_SPECIAL}
    special = [special_token(settings, name, token) for name, token in usual.items()]
    others = [token for token in added if token.get("content") not in usual.values()]
    return others if special == [*usual.values()] else [*special, *others]


def _read_model(
    path: Path, data: bytes, settings: Settings, added: Sequence[Mapping[str, Any]], name: str, lower: bool
) -> TokenizerModel:
    side = "left" if settings.get("truncation_side") == "left" else "right"
    if path.suffix == ".json":
        return read_json(path, data, lower, side, _template(settings, name))
    if path.name == "vocab.txt":
        return read_word_pieces(path, data, settings, added, side)
    if name == "SiglipTokenizer":
        model: TokenizerModel = SentencePieceModel(path, data, settings)
    else:
        model = (read_t5 if path.name == "spiece.model" else read_xlm_roberta)(path, data, settings, side)
    for token in added:
        if model.id_of(token["content"]) is None:
            raise CheckpointError(
                f"{path}: has not the token {token['content']!r:.60}, which was added to it. Put the tokenizer.json "
                "that transformers saves into the folder."
            )
    return model


def _template(settings: Settings, name: str) -> tuple[str, ...]:
    """Return the tokens around a text where the class, not the file, has them; empty for others.

    NLLB's first token is that of the text's language.
    """
    if name != "NllbTokenizer":
        return ()
    language, end = settings.get("src_lang") or "eng_Latn", settings.get("eos_token") or "</s>"
    return ("$A", str(end), str(language)) if settings.get("legacy_behaviour") else (str(language), "$A", str(end))


def _id_of(path: Path, model: TokenizerModel, token: str | None, defaults: tuple[str, ...]) -> int:
    """Return the id of a token; without a token, that of the first default that has one."""
    tokens = (token,) if token else defaults
    for i in map(model.id_of, tokens):
        if i is not None:
            return i
    raise CheckpointError(f"{path}: has no token {' or '.join(map(repr, tokens))!s:.200}; expected it to be there.")


# --- CLIP's own vocabulary ------------------------------------------------------------------------


def _read_clip(folder: Path) -> TransformersCLIPTokenizer | None:
    """Read the tokenizer if its vocabulary is OpenAI's, and nothing is added to it."""
    settings = _settings(folder)
    try:
        ids, merges, added = _clip_vocabulary(folder, settings)
        if not default_tokenizer().has(ids, merges) or settings.get("padding_side", "right") != "right":
            return None
        tokens = _tokens(folder, settings)
        if (
            tokens.get("bos_token", START_OF_TEXT) != START_OF_TEXT
            or tokens.get("eos_token", END_OF_TEXT) != END_OF_TEXT
        ):
            return None
        pad = tokens.get("pad_token", END_OF_TEXT)
        any_case = {START_OF_TEXT: False, END_OF_TEXT: False, pad: False}
        for token in added:
            if token["content"] not in any_case or any(token.get(o) for o in ("lstrip", "rstrip", "single_word")):
                return None
            any_case[token["content"]] = bool(token.get("normalized"))
        exact = {token: ids[token] for token, anyhow in any_case.items() if not anyhow}
        in_lower_case = {token: ids[token] for token, anyhow in any_case.items() if anyhow}
        return TransformersCLIPTokenizer(exact, in_lower_case, ids[pad])
    except (KeyError, TypeError, AttributeError):  # not the form of OpenAI's
        return None


def _clip_vocabulary(folder: Path, settings: Settings) -> tuple[dict[str, int], list[str], list[dict[str, Any]]]:
    """Read ids, merges, and the options of tokens that are found before a text is split."""
    path = folder / "tokenizer.json"
    if path.is_file() and path.stat().st_size <= _SETTINGS[0]:
        described = read_json_object(path, *_SETTINGS)
        model = described["model"]
        merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
        added = settings.get("added_tokens_decoder")
        return model["vocab"], merges, list(added.values()) if added else described["added_tokens"]
    ids = read_json_object(folder / "vocab.json", *_SETTINGS) if (folder / "vocab.json").is_file() else {}
    lines = read_bytes(folder / "merges.txt", *_SETTINGS).decode("utf-8", "replace").split("\n") if ids else []
    # Of a token that appears twice, the last options count; a plain string has none.
    tokens = [settings.get(name) for name in ("bos_token", "eos_token", "unk_token", "pad_token")]
    special = [{"content": token} if isinstance(token, str) else token for token in tokens if token]
    added = _added_tokens(folder, settings)
    added = added if settings.get("added_tokens_decoder") else [*special, *added]
    return ids, [line for line in lines if line and not line.startswith("#version")], added


def _added_tokens(folder: Path, settings: Settings) -> list[dict[str, Any]]:
    """List the options of added tokens; a file of old versions has only their ids."""
    file = folder / "added_tokens.json"
    if (decoder := settings.get("added_tokens_decoder")) or not file.is_file():
        return [*(decoder or {}).values()]
    special = [*_tokens(folder, settings).values(), *(settings.get("additional_special_tokens") or ())]
    special = [token.get("content") if isinstance(token, dict) else token for token in special]
    ids = read_json_object(file, *_SETTINGS)
    return [{"content": token, "normalized": token not in special} for token in sorted(ids, key=ids.__getitem__)]


# --- files ----------------------------------------------------------------------------------------


def _settings(folder: Path) -> Settings:
    """Read the settings beside the vocabulary, empty if there are no such files."""
    config, tokens = (
        read_json_object(folder / file, *_SETTINGS) if (folder / file).is_file() else {}
        for file in ("tokenizer_config.json", "special_tokens_map.json")
    )
    return {**tokens, **config} if "added_tokens_decoder" in config else {**config, **tokens}


def _class(settings: Settings, default: str = "") -> str:
    name = settings.get("tokenizer_class") or default
    return str(name).removesuffix("Fast")


def _tokens(folder: Path, settings: Settings) -> dict[str, str]:
    """Return the special tokens by name, such as `pad_token`."""
    tokens = {}
    for name, setting in settings.items():
        if name in ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token") and setting is not None:
            token = setting.get("content") if isinstance(setting, dict) else setting
            if not isinstance(token, str) or not 0 < len(token) <= _MAX_TOKEN:
                found = f"{token[:60]!r}..." if isinstance(token, str) else f"{setting!r:.60}"
                raise CheckpointError(
                    f"{folder}: the tokenizer's {name} is {found}; expected a string of 1 to {_MAX_TOKEN} characters."
                )
            tokens[name] = token
    return tokens
