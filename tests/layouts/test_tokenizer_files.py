"""What the package `tokenizers`, which other programs use, makes of the files: our ids, of texts without errors."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import MissingPackageError, UnsupportedCheckpointError
from numpyclip.runtime.lazy import Lazy
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.tokenizer.clip_tokenizer import default_tokenizer, open_clip_tokenizer
from numpyclip.tokenizer.clip_transformers import TransformersCLIPTokenizer
from numpyclip.tokenizer.file_tokenizer import FileTokenizer, UnreadableTokenizer
from numpyclip.tokenizer.hugging_face import TokenizerRules, hugging_face_tokenizer, open_clip_file_tokenizer
from numpyclip.tokenizer.unigram_model import read_t5

tokenizers = pytest.importorskip("tokenizers")
pytest.importorskip("onnx")

from numpyclip.layouts.library import Library  # noqa: E402
from numpyclip.layouts.tokenizer_files import tokenizer_files  # noqa: E402  needs onnx

LIBRARY = Library("immich", ("float32",))
FOLDERS = Path(__file__).parents[1] / "golden" / "tokenizers"
TEXTS = [
    *("", "A photo of TWO cats!", "snake_case, don't  caf\u00e9 \u4e2d\u6587 42", "dog " * 100),
    # As phones and word processors have them: quotes, ligatures, letters of full width.
    *("the dog\u2019s ball", "\u201cRed\u201d \u2018car\u2019", "\ufb01sh and o\ufb03ce, sti\ufb00"),
    *("\uff21\u3000\uff52\uff45\uff44\u3000\uff43\uff41\uff52\uff01 \uff02\uff07", "\u0132sberg \u0149 \ufb05one"),
]
LENGTH = 77


def with_tokenizer(model: CLIP, tokenizer: Tokenizer, **options: Any) -> CLIP:
    """The same model with another tokenizer, and other options of its text tower."""
    assert model.config.text is not None
    config = replace(model.config, text=replace(model.config.text, **options))
    return replace(model, config=config, _tokenizer=Lazy(lambda: tokenizer))


def ids_of(files: dict[str, bytes]) -> np.ndarray:
    """Ids as Immich makes them."""
    settings = json.loads(files["tokenizer_config.json"])
    other = tokenizers.Tokenizer.from_str(files["tokenizer.json"].decode())
    pad = settings["pad_token"]
    other.enable_padding(length=settings["model_max_length"], pad_token=pad, pad_id=other.token_to_id(pad))
    other.enable_truncation(max_length=settings["model_max_length"])
    assert json.loads(files["special_tokens_map.json"])["pad_token"] == pad
    return np.array([encoding.ids for encoding in other.encode_batch(TEXTS)])


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(
    "tokenizer",
    [
        default_tokenizer(),
        *(open_clip_tokenizer(clean) for clean in ("lower", "whitespace", "canonicalize")),
        TransformersCLIPTokenizer({"<|startoftext|>": 49406}, {"<|endoftext|>": 49407}, 49407),
        TransformersCLIPTokenizer({"<|startoftext|>": 49406, "<|endoftext|>": 49407, "!": 0}, {}, 0),
    ],
    ids=lambda tokenizer: tokenizer.name[:60],
)
def test_clips_vocabulary(model: CLIP, tokenizer: Any, causal: bool) -> None:
    """With causal attention padding is free; a model that attends to it gets the very ids."""
    ours = tokenizer(TEXTS, LENGTH, True)
    theirs = ids_of(tokenizer_files(with_tokenizer(model, tokenizer, causal=causal), LIBRARY))
    if causal:
        ends = ours.argmax(axis=1)
        np.testing.assert_array_equal(theirs.argmax(axis=1), ends)
        ours, theirs = (np.where(np.arange(LENGTH) <= ends[:, np.newaxis], ids, 0) for ids in (ours, theirs))
    np.testing.assert_array_equal(theirs, ours)


@pytest.mark.parametrize(
    "name", ["bert", "bert-vocab", "gemma", "mt5", "nllb", "t5", "xlm-roberta", "xlm-roberta-model"]
)
def test_tokenizers_of_files(model: CLIP, name: str) -> None:
    tokenizer = hugging_face_tokenizer(FOLDERS / name, TokenizerRules("", lower=name == "gemma"))
    files = tokenizer_files(with_tokenizer(model, tokenizer), LIBRARY)
    np.testing.assert_array_equal(ids_of(files), tokenizer(TEXTS, LENGTH, True))


@pytest.mark.parametrize("clean", ["lower", "whitespace", "canonicalize"])
def test_cleaning_comes_with_the_file(model: CLIP, clean: str) -> None:
    tokenizer = open_clip_file_tokenizer(FOLDERS / "gemma", "", clean, strip_sep_token=False)
    files = tokenizer_files(with_tokenizer(model, tokenizer), LIBRARY)
    np.testing.assert_array_equal(ids_of(files), tokenizer(TEXTS, LENGTH, True))


def test_what_no_file_says_is_refused(model: CLIP) -> None:
    bert = open_clip_file_tokenizer(FOLDERS / "bert", "", "lower", strip_sep_token=True)
    with pytest.raises(UnsupportedCheckpointError, match=r"replaces separators by zeros .*; expected none of that"):
        tokenizer_files(with_tokenizer(model, bert), LIBRARY)
    left = hugging_face_tokenizer(FOLDERS / "roberta", TokenizerRules(""))
    with pytest.raises(UnsupportedCheckpointError, match=r"pads or truncates texts at their beginning"):
        tokenizer_files(with_tokenizer(model, left), LIBRARY)
    upper = open_clip_file_tokenizer(FOLDERS / "gemma", "", "lower", strip_sep_token=False)
    assert isinstance(upper, FileTokenizer)
    with pytest.raises(UnsupportedCheckpointError, match=r"follows the cleaning .upper.; expected one that tokenizer"):
        tokenizer_files(with_tokenizer(model, replace(upper, clean=str.upper)), LIBRARY)
    with pytest.raises(MissingPackageError, match="needs a package"):
        tokenizer_files(with_tokenizer(model, UnreadableTokenizer("x", "needs a package")), LIBRARY)


def test_a_siglip_has_the_file_beside_its_vocabulary(model: CLIP, tmp_path: Path) -> None:
    """As Google's have, in which the punctuation is dropped, too."""
    pytest.importorskip("sentencepiece")
    folder = Path(shutil.copytree(FOLDERS / "siglip", tmp_path / "siglip"))
    siglip = hugging_face_tokenizer(folder, TokenizerRules("SiglipTokenizer"))
    as_t5 = read_t5(folder / "spiece.model", (folder / "spiece.model").read_bytes(), {"extra_ids": 0}, "right")
    (folder / "tokenizer.json").write_text(as_t5.to_json())
    files = tokenizer_files(with_tokenizer(model, siglip), LIBRARY)
    np.testing.assert_array_equal(ids_of(files), siglip(TEXTS, LENGTH, True))


def test_sentencepiece_s_own_vocabulary_is_refused(model: CLIP) -> None:
    pytest.importorskip("sentencepiece")
    siglip = hugging_face_tokenizer(FOLDERS / "siglip", TokenizerRules("SiglipTokenizer"))
    with pytest.raises(
        UnsupportedCheckpointError, match=r"layout='immich': .*spiece\.model is sentencepiece's; expected a tok"
    ):
        tokenizer_files(with_tokenizer(model, siglip), LIBRARY)
