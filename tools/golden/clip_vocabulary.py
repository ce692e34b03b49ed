"""A vocabulary of CLIP's kind, not OpenAI's, in `vocab.json` and `merges.txt`, and what transformers makes of it.

tests/golden/tokenizers/clip-files gets one, trained here, and ids.json with those of the texts of
tools/golden/tokenizers.py under several settings. Training does not give the same bytes twice.
"""

import json
import pydoc_data.topics
import shutil
import tempfile
from pathlib import Path

import tokenizers
import transformers

from golden.tokenizers import LENGTH, TEXTS, rows

START, END = "<|startoftext|>", "<|endoftext|>"
TOKEN = {"lstrip": False, "rstrip": False, "single_word": False}
SETTINGS = {
    "none": {},
    "strings": {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END},
    "any case": {
        "bos_token": {"__type": "AddedToken", "content": START, "normalized": True, **TOKEN},
        "pad_token": "!",
    },
    "new tokens": {"pad_token": "<pad>", "padding_side": "left"},
    "decoder": {
        "added_tokens_decoder": {
            "598": {"content": START, "normalized": True, "special": True, **TOKEN},
            "599": {"content": END, "normalized": False, "special": True, **TOKEN},
            "600": {"content": "<my-cat>", "normalized": False, "special": True, **TOKEN},
        }
    },
}


def save(golden: Path) -> None:
    """Save the vocabulary, and its ids by transformers' class."""
    folder = golden.parent / "tokenizers" / "clip-files"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    lines = [line.strip().lower() for topic in pydoc_data.topics.topics.values() for line in topic.splitlines()]
    trained = tokenizers.Tokenizer(tokenizers.models.BPE(end_of_word_suffix="</w>"))
    trained.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=598, initial_alphabet=sorted(alphabet), end_of_word_suffix="</w>", limit_alphabet=256
    )
    trained.train_from_iterator([line.replace(" ", "") for line in lines for line in line.split()], trainer)
    model = json.loads(trained.to_str())["model"]
    ids = {token: i for i, token in enumerate([*model["vocab"], START, END])}
    (folder / "vocab.json").write_text(json.dumps(ids), "utf-8")
    merges = ["#version: 0.2", *(" ".join(merge) for merge in model["merges"]), ""]
    (folder / "merges.txt").write_text("\n".join(merges), "utf-8")
    recorded = {name: _ids(folder, settings) for name, settings in SETTINGS.items()}
    contents = {"texts": TEXTS, "context_length": LENGTH, "settings": SETTINGS, "ids": recorded}
    (folder / "ids.json").write_text(json.dumps(contents, separators=(",", ":")), "ascii")


def _ids(folder: Path, settings: dict[str, object]) -> list[list[int]]:
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("vocab.json", "merges.txt"):
            shutil.copy(folder / name, scratch)
        (Path(scratch) / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
        return rows(transformers.CLIPTokenizer.from_pretrained(scratch))
